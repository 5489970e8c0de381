/* domain - see domain.h */
#include "engine/core/domain.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unix_socket.h"
#include "engine/core/client.h"
#include "engine/core/ticket.h"
#include "wire/names.h"

#define VMIDS_MORE 64 /* by which engine->by_vmid grows */

/* ---- making and finding ------------------------------------------------- */

static int make_token(char *token)
{
	unsigned char bytes[(DOMAIN_TOKEN - 1) / 2];
	size_t i;

	if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
		return -errno;
	for (i = 0; i < sizeof bytes; i++)
		sprintf(token + 2 * i, "%02x", bytes[i]);
	return 0;
}

/* Makes engine->by_vmid hold an entry for vmid. Returns 0 or -ENOMEM. */
static int reserve_vmid(struct engine *engine, int vmid)
{
	struct domain **all;
	int n = vmid + VMIDS_MORE;

	assert(vmid >= 0);
	if (vmid < engine->nby_vmid)
		return 0;
	all = realloc(engine->by_vmid, (size_t)n * sizeof *all);
	if (!all)
		return -ENOMEM;
	engine->by_vmid = all;
	while (engine->nby_vmid < n)
		all[engine->nby_vmid++] = NULL;
	return 0;
}

/* The list is sorted by vmid: the newest is last, but for a domain 0 that is
 * started anew. */
static void insert(struct domain *domain)
{
	struct engine *engine = domain->engine;

	assert(!engine->by_vmid[domain->vmid]);
	engine->by_vmid[domain->vmid] = domain;
	if (domain->vmid == 0)
		TAILQ_INSERT_HEAD(&engine->domains, domain, link);
	else
		TAILQ_INSERT_TAIL(&engine->domains, domain, link);
}

static int set_place(struct domain *domain, const struct placement *placement,
		     struct err *err)
{
	struct engine *engine = domain->engine;

	if (placement)
		domain->placement = *placement;
	else
		memcpy(domain->placement.host, engine->home.name,
		       sizeof domain->placement.host);
	domain->host = host_find(&engine->hosts, domain->placement.host);
	if (domain->host)
		return 0;
	return err_say(err, -EHOSTUNREACH, "domain %d: no host %s",
		       domain->vmid, domain->placement.host);
}

struct domain *domain_new(struct engine *engine, int vmid,
			  const struct placement *placement, struct err *err)
{
	struct domain *domain = calloc(1, sizeof *domain);
	int code = domain ? 0 : -ENOMEM;

	if (!code)
		code = make_token(domain->token);
	if (!code)
		code = reserve_vmid(engine, vmid);
	if (code) {
		free(domain);
		err_set(err, code, "domain %d", vmid);
		return NULL;
	}
	domain->engine = engine;
	domain->vmid = vmid;
	domain->state = DOMAIN_STARTING;
	domain->place = -1;
	domain->process.status = -1;
	domain->reported_status = domain->program_status = -1;
	domain->made_ms = loop_now();
	if (set_place(domain, placement, err)) {
		free(domain);
		return NULL;
	}
	insert(domain);
	return domain;
}

struct domain *domain_find(const struct engine *engine, int vmid)
{
	return vmid >= 0 && vmid < engine->nby_vmid ? engine->by_vmid[vmid]
						    : NULL;
}

struct domain *domain_after(const struct engine *engine, int vmid)
{
	while (++vmid < engine->nby_vmid)
		if (engine->by_vmid[vmid])
			return engine->by_vmid[vmid];
	return NULL;
}

struct domain *domain_of_pid(const struct engine *engine, int pid)
{
	struct domain *domain;

	TAILQ_FOREACH(domain, &engine->domains, link)
		if (domain->process.pid == pid)
			return domain;
	return NULL;
}

/* ---- where it is -------------------------------------------------------- */

int domain_lease(struct domain *domain, const struct listener *wanted, int n,
		 struct err *err)
{
	struct host *host = domain->host;

	assert(!domain->lease && !domain->ip[0]);
	domain->lease = host->ops->lease(host, wanted, n, err);
	if (!domain->lease)
		return err->code;
	snprintf(domain->ip, sizeof domain->ip, "%s", domain->lease->ip);
	return 0;
}

/* Appends "PORT=IP:PORT" as a whole. Returns the new length. */
static size_t put_endpoint(char *text, size_t len, size_t size, int port,
			   const char *ip, int ip_port)
{
	char entry[80];
	int n = snprintf(entry, sizeof entry, "%s%d=%s:%d", len ? " " : "",
			 port, ip, ip_port);

	if (len + (size_t)n >= size)
		return len;
	memcpy(text + len, entry, (size_t)n + 1);
	return len + (size_t)n;
}

void domain_endpoints(const struct domain *domain, char *text, size_t size)
{
	const struct engine *engine = domain->engine;
	const struct lease *lease = domain->lease;
	int i, port = engine->program_port;
	size_t len = 0;

	assert(size > 0);
	text[0] = '\0';
	if (!lease && domain->vmid == 0 && port)
		put_endpoint(text, 0, size, port, "127.0.0.1", port);
	/* its sockets are inside of it, where it is a machine */
	if (lease && lease->nsockets == 0 && port)
		put_endpoint(text, 0, size, port, domain->ip,
			     engine->forwarded_port);
	for (i = 0; lease && i < lease->nsockets; i++) {
		const struct listener *is = &lease->sockets[i].is;

		if (is->type == SOCK_STREAM)
			len = put_endpoint(text, len, size, is->port, lease->ip,
					   is->port);
	}
}

/* ---- its channel -------------------------------------------------------- */

static int attach(struct domain *domain, int fd, enum wire_role role,
		  struct err *err)
{
	struct client *client;

	assert(!domain->client);
	client = client_new(domain->engine, fd, CLIENT_MAY_BE(role));
	if (!client)
		return err_set(err, -ENOMEM, "domain %d", domain->vmid);
	client->domain = domain;
	client->vmid = domain->vmid;
	domain->client = client;
	return 0;
}

int domain_open_channel(struct domain *domain, int *far_end, struct err *err)
{
	int ends[2], code;

	do
		code = unix_socket_pair(ends);
	while (host_relieve(&domain->engine->hosts, code));
	/* each message bears its sender then, whatever the message says */
	if (!code)
		code = unix_socket_name_senders(ends[0]);
	if (code)
		return err_set(err, code, "domain %d", domain->vmid);
	if (attach(domain, ends[0], ROLE_DOMAIN, err)) {
		close(ends[1]);
		return err->code;
	}
	*far_end = ends[1];
	return 0;
}

int domain_use_channel(struct domain *domain, int fd, enum wire_role role,
		       struct err *err)
{
	return attach(domain, fd, role, err);
}

/* ---- its states --------------------------------------------------------- */

void domain_set_state(struct domain *domain, enum domain_state state,
		      const char *text)
{
	char endpoints[ENDPOINTS_TEXT];

	assert(state >= domain->state);
	assert(domain->state != DOMAIN_ENDED);
	assert(state != DOMAIN_READY || domain->state == DOMAIN_STARTING);
	domain->state = state;
	domain_endpoints(domain, endpoints, sizeof endpoints);
	ledger_domain(domain->engine->ledger, domain->vmid, domain->process.pid,
		      domain_state_name(state), domain->placement.host,
		      endpoints, domain->ticket ? domain->ticket->uuid : "",
		      domain->process.status);
	domain->engine->events->domain_changed(domain, text);
}

void domain_announce(struct domain *domain, const char *text)
{
	assert(domain->state == DOMAIN_STARTING);
	domain_set_state(domain, DOMAIN_STARTING, text);
}

void domain_set_ready(struct domain *domain)
{
	loop_timer_stop(&domain->deadline);
	if (domain->ticket)
		ticket_start_place(domain->ticket, domain->place);
	domain_set_state(domain, DOMAIN_READY, "");
}

/* ---- checking ----------------------------------------------------------- */

void domain_check(const struct domain *domain)
{
	const struct engine *engine = domain->engine;
	const struct client *client = domain->client;
	const struct ticket *ticket = domain->ticket;

	assert(domain->state != DOMAIN_ENDED);
	assert(engine->by_vmid[domain->vmid] == domain);
	assert(domain->host ==
	       host_find(&engine->hosts, domain->placement.host));
	assert(!client ||
	       (client->domain == domain && client->vmid == domain->vmid));
	assert(!ticket || (domain->place >= 0 && domain->place < ticket->vms));
	assert(!ticket || ticket->places[domain->place].domain == domain);
	assert(!domain->parent || (domain->parent != domain &&
				   domain->parent->state != DOMAIN_ENDED));
	assert(!domain->lease || domain->lease->host == domain->host);
	assert(!domain->lease || domain->ip[0]);
	assert(!domain->is_up || domain->has_reported);
	assert(domain->state != DOMAIN_STOPPING || domain->process.pid);
	assert(!domain->status_timer.loop || domain->process.has_ended);
	assert(!domain->job || domain->ticket);
}
