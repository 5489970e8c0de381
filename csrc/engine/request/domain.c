/* engine/request/domain - see engine/request/domain.h */
#include "engine/request/domain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/core/client.h"
#include "engine/core/domain.h"
#include "engine/core/job.h"
#include "engine/core/ticket.h"
#include "engine/host/listeners.h"
#include "engine/net/lan.h"
#include "engine/qemu/qemu.h"

#define MAX_WAITING	   64		/* for the end of one domain */
#define MAX_METRICS_UNREAD (256 * 1024) /* bytes, by the owner */

/* ---- answers ----------------------------------------------------------- */

static void tell_ticket(struct client *client, int64_t op,
			const struct ticket *ticket, const struct err *err)
{
	wire_put(channel_out(&client->channel), WIRE_TICKET, op,
		 WIRE_INT(err->code), err->code ? err->text : "",
		 ticket ? ticket->uuid : "",
		 WIRE_INT(ticket ? ticket->status : GC_TICKET_DENIED),
		 WIRE_INT(ticket ? ticket->cpus : 0),
		 WIRE_INT(ticket ? ticket->vms : 0),
		 WIRE_INT(ticket ? ticket->request.mincpuspervm : 0));
	channel_send(&client->channel);
}

void request_ticket_answered(struct ticket *ticket, struct err *err)
{
	if (ticket->owner && ticket->op)
		tell_ticket(ticket->owner, ticket->op, ticket, err);
	ticket->op = 0;
}

/* Whether a client may know of a domain, and end it: a VM of those alone that
 * come from it. */
int request_may_touch(const struct client *client, const struct domain *domain)
{
	return client->role != ROLE_AGENT ||
	       lineage_is_below(&client->engine->lineage, domain->vmid,
				client->vmid);
}

/* Where a domain is reached: by a VM, in the network that it shares with it,
 * where there is one. */
static void put_endpoints(const struct client *client,
			  const struct domain *domain, struct wire_buf *out)
{
	const struct engine *engine = client->engine;
	char text[512], address[16];
	int port = engine->program_port;

	if (client->role == ROLE_AGENT && port &&
	    qemu_of(&engine->backend)->spec.has_lan) {
		lan_address(domain->vmid, address);
		snprintf(text, sizeof text, "%d=%s:%d", port, address, port);
	} else {
		domain_endpoints(domain, text, sizeof text);
	}
	wire_put_text(out, text);
}

void request_put_domains(const struct client *client, struct wire_buf *out)
{
	struct domain *domain;

	for (domain = client->engine->domains; domain; domain = domain->next) {
		if (!request_may_touch(client, domain))
			continue;
		wire_put_int(out, domain->vmid);
		/* a VM has no use for a process outside of it */
		wire_put_int(out, client->role == ROLE_AGENT ? 0 : domain->pid);
		wire_put_int(out, domain->state);
		wire_put_text(out, "localhost");
		put_endpoints(client, domain, out);
	}
}

/* ---- requests of domains and owners ------------------------------------ */

static void on_ticket_request(struct client *client, struct wire_msg *msg)
{
	int64_t op = wire_int(msg);
	int maxcpus = (int)wire_int(msg), minvms = (int)wire_int(msg);
	int mincpuspervm = (int)wire_int(msg);
	int timeout_ms = (int)wire_int(msg);
	struct err err = { 0 };

	if (!ticket_request(client, op, maxcpus, minvms, mincpuspervm,
			    timeout_ms, &err))
		tell_ticket(client, op, NULL, &err);
}

static struct ticket *named_ticket(struct client *client, struct wire_msg *msg,
				   struct err *err)
{
	char uuid[64];

	wire_copy(msg, uuid, sizeof uuid);
	return ticket_find(client, uuid, err);
}

static void on_ticket_info(struct client *client, struct wire_msg *msg)
{
	int64_t op = wire_int(msg);
	struct err err = { 0 };

	tell_ticket(client, op, named_ticket(client, msg, &err), &err);
}

static void on_ticket_release(struct client *client, struct wire_msg *msg)
{
	int64_t op = wire_int(msg);
	struct err err = { 0 };
	struct ticket *ticket = named_ticket(client, msg, &err);

	if (ticket)
		ticket_release(ticket, &err);
	client_done(client, op, &err);
}

static void on_clone(struct client *client, struct wire_msg *msg)
{
	struct listener listeners[ADDRESS_MAX_LISTENERS];
	struct engine *engine = client->engine;
	int64_t op = wire_int(msg);
	struct err err = { 0 };
	struct ticket *ticket = named_ticket(client, msg, &err);
	struct domain *source = client->domain;
	int n = listeners_read(msg, listeners, &err);

	/* an owner that is no domain has the program cloned */
	if (!source && client == engine->owner)
		source = domain_find(engine, 0);
	if (!err.code && (!source || source->state != DOMAIN_READY))
		err_say(&err, -GC_ENODOMAIN, "the program is not running");
	if (!err.code)
		job_start(client, op, ticket, source,
			  client->domain ? listeners : NULL, n, &err);
	if (!err.code)
		return;
	wire_put(channel_out(&client->channel), WIRE_CLONED, op,
		 WIRE_INT(err.code), err.text);
	channel_send(&client->channel);
}

static void on_list(struct client *client, struct wire_msg *msg)
{
	struct wire_buf *out = channel_out(&client->channel);
	int64_t op = wire_int(msg);
	struct err err = { 0 };
	int code;

	wire_begin(out, WIRE_DOMAINS, 0);
	wire_put_int(out, op);
	request_put_domains(client, out);
	code = wire_end(out);
	if (code) {
		err_set(&err, code, "list of domains");
		client_done(client, op, &err);
		return;
	}
	channel_send(&client->channel);
}

/* KILL and STOP: grace_ms 0 is at once. */
void request_end_domain(struct client *client, int64_t op, int vmid,
			int grace_ms)
{
	struct domain *domain = domain_find(client->engine, vmid);
	struct err err = { 0 };

	if (!domain || !request_may_touch(client, domain))
		err_say(&err, -GC_ENODOMAIN, "no domain %d", vmid);
	else if (domain->client && domain->client == client->engine->owner)
		err_say(&err, -EPERM, "the master ends by itself");
	else if (domain_count_waiters(domain, client) >= MAX_WAITING)
		err_say(&err, -EBUSY, "domain %d is being ended", vmid);
	if (err.code)
		client_done(client, op, &err);
	else
		domain_stop(domain, grace_ms, client, op);
}

static void on_ready(struct client *client, struct wire_msg *msg)
{
	struct backend *backend = &client->engine->backend;
	struct err err = { 0 };

	wire_int(msg); /* its vmid, which its token has told */
	err.code = (int)wire_int(msg);
	wire_copy(msg, err.text, sizeof err.text);
	if (err.code > 0)
		err.code = -GC_EPROTO;
	if (backend->ops->ready)
		backend->ops->ready(backend, client->domain, &err);
	else
		backend->said(client->domain, &err);
}

static void on_exited(struct client *client, struct wire_msg *msg)
{
	struct domain *domain =
		domain_of_pid(client->engine, (int)wire_int(msg));
	int status = (int)wire_int(msg);

	if (domain && domain->client != client)
		domain_reaped(domain, status);
}

/* A metric, for one who is interested; not for one who does not listen, and
 * would be cut off for that at last. */
static void tell_metric(struct client *to, int vmid, struct wire_str name,
			int64_t value)
{
	struct wire_buf *out = channel_out(&to->channel);

	if (out->len > MAX_METRICS_UNREAD)
		return;
	wire_begin(out, WIRE_DOMAIN_METRIC, 0);
	wire_put_int(out, vmid);
	wire_put_str(out, name.p, name.len);
	wire_put_int(out, value);
	wire_end(out);
	channel_send(&to->channel);
}

/* A number that a domain tells about itself. */
static void on_metric(struct client *client, struct wire_msg *msg)
{
	struct engine *engine = client->engine;
	struct wire_str name = wire_str(msg);
	int64_t value = wire_int(msg);
	struct client *to;

	if (engine->owner)
		tell_metric(engine->owner, client->vmid, name, value);
	for (to = engine->clients; to; to = to->next)
		if (to->watches && request_may_touch(to, client->domain))
			tell_metric(to, client->vmid, name, value);
}

/* ---- which message is which -------------------------------------------- */

int request_domain(struct client *client, struct wire_msg *msg)
{
	struct backend *backend = &client->engine->backend;
	int64_t op;

	switch (msg->type) {
	case WIRE_TICKET_REQUEST: on_ticket_request(client, msg); break;
	case WIRE_TICKET_INFO: on_ticket_info(client, msg); break;
	case WIRE_TICKET_RELEASE: on_ticket_release(client, msg); break;
	case WIRE_CLONE: on_clone(client, msg); break;
	case WIRE_LIST: on_list(client, msg); break;
	case WIRE_KILL:
		op = wire_int(msg);
		request_end_domain(client, op, (int)wire_int(msg), 0);
		break;
	case WIRE_EXITED: on_exited(client, msg); break;
	case WIRE_READY:
		if (client->domain)
			on_ready(client, msg);
		break;
	case WIRE_METRIC:
		if (client->domain)
			on_metric(client, msg);
		break;
	case WIRE_PREPARED:
	case WIRE_FORKED:
		if (client->domain)
			backend->ops->message(backend, client->domain, msg);
		break;
	default: return 0;
	}
	return 1;
}
