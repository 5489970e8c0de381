/* engine/request/domain - see engine/request/domain.h */
#include "engine/request/domain.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "engine/core/client.h"
#include "engine/core/clone.h"
#include "engine/core/domain.h"
#include "engine/core/job.h"
#include "engine/core/ticket.h"

#define MAX_WAITING	   64		/* STOPs of a client for one domain */
#define MAX_METRICS_UNREAD (256 * 1024) /* bytes; then metrics are dropped */
#define LAZY		   (64 * 1024)	/* bytes that may wait to be sent */

/* ---- answers ----------------------------------------------------------- */

static void send_ticket(struct client *client, int64_t op,
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

void request_ticket_answered(struct ticket *ticket, const struct err *err)
{
	assert(ticket->status ==
	       (err->code ? GC_TICKET_DENIED : GC_TICKET_GRANTED));
	if (ticket->owner && ticket->op)
		send_ticket(ticket->owner, ticket->op, ticket, err);
	ticket->op = 0;
}

int request_may_touch(const struct client *client, const struct domain *domain)
{
	return client->role != ROLE_AGENT ||
	       lineage_is_below(&client->engine->lineage, domain->vmid,
				client->vmid);
}

/* ---- what domains are like ---------------------------------------------- */

/* Asks the backend where the viewer reaches the domain. Returns 0 where that is
 * not special. */
static int endpoint_for(const struct client *viewer,
			const struct domain *domain, char *ip, int *port)
{
	const struct backend *backend = &viewer->engine->backend;

	return backend->ops->endpoint_for &&
	       backend->ops->endpoint_for(backend, domain, viewer, ip, port);
}

static void put_endpoints(const struct client *viewer,
			  const struct domain *domain, struct wire_buf *out)
{
	char text[ENDPOINTS_TEXT], ip[16];
	int port;

	if (viewer->engine->program_port &&
	    endpoint_for(viewer, domain, ip, &port))
		snprintf(text, sizeof text, "%d=%s:%d",
			 viewer->engine->program_port, ip, port);
	else
		domain_endpoints(domain, text, sizeof text);
	wire_put_text(out, text);
}

void request_put_domains(const struct client *client, struct wire_buf *out)
{
	struct domain *domain;

	TAILQ_FOREACH(domain, &client->engine->domains, link) {
		if (!request_may_touch(client, domain))
			continue;
		wire_put_int(out, domain->vmid);
		/* a VM has no use for a process outside of it */
		wire_put_int(out, client->role == ROLE_AGENT
					  ? 0
					  : domain->process.pid);
		wire_put_int(out, domain->state);
		wire_put_text(out, domain->placement.host);
		put_endpoints(client, domain, out);
	}
}

static void send_domain(struct client *to, const struct domain *domain,
			const char *text)
{
	const struct engine *engine = domain->engine;
	struct wire_buf *out = channel_out(&to->channel);
	int port = engine->forwarded_port ? engine->forwarded_port
					  : engine->program_port;
	char ip[16] = "";
	int is_special = endpoint_for(to, domain, ip, &port);

	wire_put(out, WIRE_DOMAIN, WIRE_INT(domain->vmid),
		 WIRE_INT(domain->state), WIRE_INT(domain->process.pid),
		 WIRE_INT(domain->process.status), is_special ? ip : domain->ip,
		 WIRE_INT(port), domain->ticket ? domain->ticket->uuid : "",
		 text);
	/* a number alone can wait for what is sent next */
	if (to->watches || domain->state != DOMAIN_STARTING || out->len > LAZY)
		channel_send(&to->channel);
}

void request_report_domain(const struct domain *domain, const char *text)
{
	struct engine *engine = domain->engine;
	struct client *watcher;

	if (engine->owner && engine->owner->domain != domain)
		send_domain(engine->owner, domain, text);
	LIST_FOREACH(watcher, &engine->clients, link)
		if (watcher->watches && watcher->domain != domain &&
		    request_may_touch(watcher, domain))
			send_domain(watcher, domain, text);
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
		send_ticket(client, op, NULL, &err);
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

	send_ticket(client, op, named_ticket(client, msg, &err), &err);
}

static void on_ticket_release(struct client *client, struct wire_msg *msg)
{
	int64_t op = wire_int(msg);
	struct err err = { 0 };
	struct ticket *ticket = named_ticket(client, msg, &err);

	if (ticket)
		ticket_release(ticket, &err);
	client_send_done(client, op, &err);
}

static void on_clone(struct client *client, struct wire_msg *msg)
{
	struct listener listeners[MAX_LISTENERS];
	struct engine *engine = client->engine;
	int64_t op = wire_int(msg);
	struct err err = { 0 };
	struct ticket *ticket = named_ticket(client, msg, &err);
	struct domain *source = client->domain;
	int n = listeners_read(msg, listeners, &err);

	/* the owner that is no domain has the program cloned */
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
		client_send_done(client, op, &err);
		return;
	}
	channel_send(&client->channel);
}

void request_end_domain(struct client *client, int64_t op, int vmid,
			int grace_ms)
{
	struct domain *domain = domain_find(client->engine, vmid);
	struct err err = { 0 };

	assert(!domain || domain->state != DOMAIN_ENDED);
	if (!domain || !request_may_touch(client, domain))
		err_say(&err, -GC_ENODOMAIN, "no domain %d", vmid);
	else if (domain->client && domain->client == client->engine->owner)
		err_say(&err, -EPERM, "the master ends by itself");
	else if (domain_count_waiters(domain, client) >= MAX_WAITING)
		err_say(&err, -EBUSY, "domain %d is being ended", vmid);
	if (err.code)
		client_send_done(client, op, &err);
	else
		domain_stop(domain, grace_ms, client, op);
}

/* A text without an error is about the domain's own post-clone. */
static void on_ready(struct client *client, struct wire_msg *msg)
{
	struct err err = { 0 };

	wire_int(msg); /* its vmid, which its token has proved */
	err.code = (int)wire_int(msg);
	wire_copy(msg, err.text, sizeof err.text);
	text_clean(err.text);
	if (err.code > 0)
		err.code = -GC_EPROTO;
	clone_reported(client->domain, &err, err.code ? "" : err.text);
}

/* A parent reports about its own children. */
static void on_exited(struct client *client, struct wire_msg *msg)
{
	struct domain *domain =
		domain_of_pid(client->engine, (int)wire_int(msg));
	int status = (int)wire_int(msg);

	if (domain && client->domain && domain->parent == client->domain)
		domain_reaped(domain, status & 0xffff);
}

/* Drops the metric where the receiver does not read: it would be cut off for that
 * at last. */
static void send_metric(struct client *to, int vmid, struct wire_str name,
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

/* A number that a domain reports about itself. */
static void on_metric(struct client *client, struct wire_msg *msg)
{
	struct engine *engine = client->engine;
	struct wire_str name = wire_str(msg);
	int64_t value = wire_int(msg);
	struct client *to;

	if (engine->owner)
		send_metric(engine->owner, client->vmid, name, value);
	LIST_FOREACH(to, &engine->clients, link)
		if (to->watches && request_may_touch(to, client->domain))
			send_metric(to, client->vmid, name, value);
}

/* ---- which message is which -------------------------------------------- */

int request_domain(struct client *client, struct wire_msg *msg)
{
	struct backend *backend = &client->engine->backend;
	int64_t op;

	assert(client->role != CLIENT_UNKNOWN && client->role != ROLE_CONTROL);
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
