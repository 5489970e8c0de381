/*
 * request - see request.h
 *
 * A long file, but a flat one: a function for each message, and at the end of
 * each part who may send which.
 */
#include "request.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "client.h"
#include "domain.h"
#include "job.h"
#include "listeners.h"
#include "program.h"
#include "ticket.h"

#define MAX_ARGS	   1000		/* of a program */
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

static void put_domains(struct engine *engine, struct wire_buf *out)
{
	char endpoints[512];
	struct domain *domain;

	for (domain = engine->domains; domain; domain = domain->next) {
		domain_endpoints(domain, endpoints, sizeof endpoints);
		wire_put_int(out, domain->vmid);
		wire_put_int(out, domain->pid);
		wire_put_int(out, domain->state);
		wire_put_text(out, "localhost");
		wire_put_text(out, endpoints);
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
	put_domains(client->engine, out);
	code = wire_end(out);
	if (code) {
		err_set(&err, code, "list of domains");
		client_done(client, op, &err);
		return;
	}
	channel_send(&client->channel);
}

/* KILL and STOP: grace_ms 0 is at once. */
static void end_domain(struct client *client, int64_t op, int vmid,
		       int grace_ms)
{
	struct domain *domain = domain_find(client->engine, vmid);
	struct err err = { 0 };

	if (!domain)
		err_say(&err, -GC_ENODOMAIN, "no domain %d", vmid);
	else if (domain->client && domain->client == client->engine->owner)
		err_say(&err, -EPERM, "the master ends by itself");
	if (err.code)
		client_done(client, op, &err);
	else
		domain_stop(domain, grace_ms, client, op);
}

static void on_ready(struct client *client, struct wire_msg *msg)
{
	struct domain *domain = client->domain;
	struct err err = { 0 };

	wire_int(msg); /* its vmid, which its token has told */
	err.code = (int)wire_int(msg);
	wire_copy(msg, err.text, sizeof err.text);
	if (domain->job)
		job_domain_said(domain, &err);
	else if (domain->state == DOMAIN_STARTING && !err.code)
		domain_ready(domain);
}

static void on_exited(struct client *client, struct wire_msg *msg)
{
	struct domain *domain =
		domain_of_pid(client->engine, (int)wire_int(msg));
	int status = (int)wire_int(msg);

	if (domain && domain->client != client)
		domain_reaped(domain, status);
}

/* A number that a domain tells about itself is the owner's to know; not of one
 * who does not listen, and would be cut off for that at last. */
static void on_metric(struct client *client, struct wire_msg *msg)
{
	struct client *owner = client->engine->owner;
	struct wire_str name = wire_str(msg);
	struct wire_buf *out;

	if (!owner)
		return;
	out = channel_out(&owner->channel);
	if (out->len > MAX_METRICS_UNREAD)
		return;
	wire_begin(out, WIRE_DOMAIN_METRIC, 0);
	wire_put_int(out, client->vmid);
	wire_put_str(out, name.p, name.len);
	wire_put_int(out, wire_int(msg));
	wire_end(out);
	channel_send(&owner->channel);
}

/* ---- requests of owners alone ------------------------------------------ */

static void on_start(struct client *client, struct wire_msg *msg)
{
	char dir[PATH_MAX], *argv[MAX_ARGS + 1];
	int64_t op = wire_int(msg);
	int port = (int)wire_int(msg), n = 0;
	struct err err = { 0 };

	wire_copy(msg, dir, sizeof dir);
	while (wire_more(msg) && n < MAX_ARGS) {
		struct wire_str s = wire_str(msg);

		argv[n] = strndup(s.p, s.len);
		if (!argv[n])
			err_set(&err, -ENOMEM, "start");
		else
			n++;
	}
	argv[n] = NULL;
	if (n == 0)
		err_say(&err, -EINVAL, "no program to start");
	if (!err.code)
		program_start(client->engine, port, dir, argv, &err);
	client_done(client, op, &err);
	while (n > 0)
		free(argv[--n]);
}

static void on_event(struct client *client, struct wire_msg *msg)
{
	char what[64], text[1024], json[16384];
	int vmid;

	wire_copy(msg, what, sizeof what);
	vmid = (int)wire_int(msg);
	wire_copy(msg, text, sizeof text);
	wire_copy(msg, json, sizeof json);
	ledger_event(client->engine->ledger, what, vmid, text, json);
}

static void on_report(struct client *client, struct wire_msg *msg)
{
	struct wire_str s = wire_str(msg);
	char *report = strndup(s.p, s.len);

	if (!report)
		return;
	free(client->engine->report);
	client->engine->report = report;
}

static void on_bye(struct client *client, struct wire_msg *msg)
{
	domain_end_all(client->engine, (int)wire_int(msg));
}

/* The owner's answer to a command that was passed on: op is the number under
 * which it was, kept in the control client. */
static void on_answer(struct client *owner, struct wire_msg *msg)
{
	int64_t number = wire_int(msg);
	int code = (int)wire_int(msg);
	struct wire_str text = wire_str(msg);
	struct client *client;

	for (client = owner->engine->clients; client; client = client->next) {
		struct wire_buf *out = channel_out(&client->channel);

		if (client->role != ROLE_CONTROL || client->number != number)
			continue;
		wire_begin(out, WIRE_ANSWER, 0);
		wire_put_int(out, client->op);
		wire_put_int(out, code);
		wire_put_str(out, text.p, text.len);
		wire_end(out);
		channel_send(&client->channel);
		client->number = 0;
	}
}

static void owner_message(struct client *client, struct wire_msg *msg)
{
	int64_t op;
	int vmid;

	switch (msg->type) {
	case WIRE_START: on_start(client, msg); break;
	case WIRE_STOP:
		op = wire_int(msg);
		vmid = (int)wire_int(msg);
		end_domain(client, op, vmid, (int)wire_int(msg));
		break;
	case WIRE_EVENT: on_event(client, msg); break;
	case WIRE_REPORT: on_report(client, msg); break;
	case WIRE_ANSWER: on_answer(client, msg); break;
	case WIRE_BYE: on_bye(client, msg); break;
	default: break;
	}
}

static void domain_message(struct client *client, struct wire_msg *msg)
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
		end_domain(client, op, (int)wire_int(msg), 0);
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
	default:
		if (client == client->engine->owner)
			owner_message(client, msg);
		break;
	}
}

/* ---- control clients --------------------------------------------------- */

static void on_status(struct client *client, struct wire_msg *msg)
{
	struct engine *engine = client->engine;
	struct wire_buf *out = channel_out(&client->channel);
	int64_t op = wire_int(msg);
	int total = 0, left = 0, code;

	engine->scheduler.ops->capacity(&engine->scheduler, &total, &left);
	wire_begin(out, WIRE_STATE, 0);
	wire_put_int(out, op);
	wire_put_text(out, engine->name);
	wire_put_int(out, total);
	wire_put_int(out, left);
	wire_put_text(out, engine->report ? engine->report : "");
	put_domains(engine, out);
	code = wire_end(out);
	if (code)
		wire_put(out, WIRE_ANSWER, op, WIRE_INT(code), err_text(code));
	channel_send(&client->channel);
}

static void on_command(struct client *client, struct wire_msg *msg)
{
	struct client *owner = client->engine->owner;
	struct wire_buf *out;
	struct wire_str json;

	client->op = wire_int(msg);
	json = wire_str(msg);
	if (!owner) {
		wire_put(channel_out(&client->channel), WIRE_ANSWER, client->op,
			 WIRE_INT(-ECONNRESET), "no controller");
		channel_send(&client->channel);
		return;
	}
	client->number = ++client->engine->last_number;
	out = channel_out(&owner->channel);
	wire_begin(out, WIRE_COMMAND, 0);
	wire_put_int(out, client->number);
	wire_put_str(out, json.p, json.len);
	wire_end(out);
	channel_send(&owner->channel);
}

/* ---- the first message ------------------------------------------------- */

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

void request_handle(struct client *client, struct wire_msg *msg)
{
	if (client->role < 0) {
		if (msg->type != WIRE_HELLO || identify(client, msg))
			client_drop(client);
		else
			welcome(client);
	} else if (client->role != ROLE_CONTROL) {
		domain_message(client, msg);
	} else if (msg->type == WIRE_STATUS) {
		on_status(client, msg);
	} else if (msg->type == WIRE_COMMAND) {
		on_command(client, msg);
	}
}
