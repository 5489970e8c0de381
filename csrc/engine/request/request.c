/* request - see request.h */
#include "engine/request/request.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "engine/core/client.h"
#include "engine/core/domain.h"
#include "engine/request/agent.h"
#include "engine/request/control.h"
#include "engine/request/domain.h"
#include "engine/request/owner.h"

static void welcome(struct client *client)
{
	wire_put(channel_out(&client->channel), WIRE_WELCOME,
		 WIRE_INT(client->vmid), client->engine->name);
	channel_send(&client->channel);
}

/* Makes the program that owns the engine its domain 0. Its process is not
 * watched: the end of its channel is its end. */
static int adopt_master(struct client *client)
{
	struct err err;
	struct domain *domain = domain_new(client->engine, 0, NULL, &err);

	assert(!client->domain && client->pid > 1);
	if (!domain)
		return -1;
	domain->client = client;
	client->domain = domain;
	domain->process.pid = client->pid;
	domain_set_ready(domain);
	return 0;
}

/* Whether the end of this child of the engine is seen by its watcher. */
static int is_watched(const void *owner, int pid)
{
	const struct engine *engine = owner;
	const struct domain *domain;

	TAILQ_FOREACH(domain, &engine->domains, link)
		if (domain->process.pid == pid ||
		    (domain->hook && domain->hook->pid == pid))
			return 1;
	return 0;
}

/* The engine inherits what the program leaves behind. */
static void adopt_orphans(struct engine *engine)
{
	struct host *home = &engine->home;
	struct err err;

	if (home->ops->reap_orphans(home, is_watched, engine, &err))
		ledger_event(engine->ledger, "orphans", -1, err.text, "");
}

static int become_owner(struct client *client)
{
	client->engine->is_inside = client->role == ROLE_INSIDE;
	if (client->role == ROLE_INSIDE)
		return adopt_master(client);
	adopt_orphans(client->engine);
	return 0;
}

/* The process that sent HELLO is the domain's: the kernel names it, whatever
 * HELLO says. It is no other domain's, nor the engine itself. */
static int become_domain(struct client *client)
{
	struct domain *domain = client->domain;

	assert(domain && domain->client == client);
	client->pid = client->channel.sender;
	if (domain->process.pid)
		return 0; /* it was started here, or its parent named it */
	if (client->pid < 2 || client->pid == getpid() ||
	    domain_of_pid(client->engine, client->pid))
		return -1;
	return domain_watch(domain, client->pid);
}

/* Whether a client may have the role that it claims. */
static int may_become(const struct client *client, int version, int64_t role,
		      const char *token)
{
	if (version != WIRE_VERSION || role < 0 || role > ROLE_AGENT ||
	    !(client->may_be & CLIENT_MAY_BE(role)))
		return 0;
	if (role == ROLE_INSIDE && client->pid < 2)
		return 0;
	return role != ROLE_DOMAIN || strcmp(token, client->domain->token) == 0;
}

/* HELLO: what does it claim to be, and is it? Returns 0 if it is. */
static int identify(struct client *client, struct wire_msg *msg)
{
	char token[DOMAIN_TOKEN + 1];
	int version = (int)wire_int(msg);
	int64_t role;

	wire_copy(msg, token, sizeof token);
	role = wire_int(msg);
	if (!may_become(client, version, role, token))
		return -1;
	client_set_role(client, (enum wire_role)role);
	if (client == client->engine->owner)
		return become_owner(client);
	return role == ROLE_DOMAIN ? become_domain(client) : 0;
}

/* It is not what it claims to be, or does not speak this protocol. */
static void refuse(struct client *client)
{
	struct domain *domain = client->domain;
	struct err err;

	/* without its agent a VM is of no use */
	if (domain && client->may_be & CLIENT_MAY_BE(ROLE_AGENT)) {
		err_say(&err, -GC_EPROTO,
			"the agent of the VM does not "
			"speak this protocol");
		domain_fail(domain, &err);
	}
	if (channel_is_open(&client->channel))
		client_close(client);
}

void request_handle(struct client *client, struct wire_msg *msg)
{
	struct backend *backend = &client->engine->backend;

	client->has_spoken = 1;
	if (client->role == CLIENT_UNKNOWN) {
		if (msg->type != WIRE_HELLO || identify(client, msg))
			refuse(client);
		else if (client->role == ROLE_AGENT)
			backend->ops->message(backend, client->domain, msg);
		else
			welcome(client);
	} else if (client->role == ROLE_AGENT) {
		if (client->domain)
			request_agent(client, msg);
	} else if (client->role == ROLE_CONTROL) {
		request_control(client, msg);
	} else if (!request_domain(client, msg) &&
		   client == client->engine->owner) {
		request_owner(client, msg);
	}
}
