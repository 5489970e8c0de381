/* request - see request.h */
#include "engine/request/request.h"

#include <string.h>
#include <sys/prctl.h>

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

/* Makes the program that owns the engine its domain 0. */
static int adopt_master(struct client *client, int pid)
{
	struct err err;
	struct domain *domain = domain_new(client->engine, 0, client, &err);

	if (!domain)
		return -1;
	domain->pid = pid;
	domain_ready(domain);
	return 0;
}

/* HELLO: who is it, and may it be that? Returns 0 when it may. */
static int identify(struct client *client, struct wire_msg *msg)
{
	struct domain *domain = client->domain;
	char token[DOMAIN_TOKEN + 1];
	int version = (int)wire_int(msg), role, pid;

	wire_copy(msg, token, sizeof token);
	role = (int)wire_int(msg);
	pid = (int)wire_int(msg);
	if (version != WIRE_VERSION || pid < 1)
		return -1;
	if (client == client->engine->owner) {
		client->engine->inside = role == ROLE_INSIDE;
		if (role == ROLE_INSIDE && adopt_master(client, pid))
			return -1;
		if (role == ROLE_OUTSIDE)
			prctl(PR_SET_CHILD_SUBREAPER, 1);
		if (role != ROLE_INSIDE && role != ROLE_OUTSIDE)
			return -1;
	} else if (domain && domain->made) {
		/* nobody else has this wire: no token is needed */
		if (role != ROLE_AGENT)
			return -1;
	} else if (domain) {
		if (role != ROLE_DOMAIN || strcmp(token, domain->token) != 0)
			return -1;
		domain_has_pid(domain, pid);
	} else if (role != ROLE_CONTROL) {
		return -1;
	}
	client->role = role;
	return 0;
}

/* It is not what it says, or says nothing that can be understood. */
static void refuse(struct client *client)
{
	struct domain *domain = client->domain;
	struct err err;

	/* without its agent a VM is of no use */
	if (domain && domain->made) {
		err_say(&err, -GC_EPROTO,
			"the agent of the VM does not "
			"speak this protocol");
		domain_fail(domain, &err);
	}
	client_drop(client);
}

void request_handle(struct client *client, struct wire_msg *msg)
{
	struct backend *backend = &client->engine->backend;

	client->has_spoken = 1;
	if (client->role < 0) {
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
