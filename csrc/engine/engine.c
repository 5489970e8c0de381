/*
 * engine - see engine.h
 *
 * The one file that names backends, schedulers and hosts. To add one, see
 * core/backend.h, core/scheduler.h, core/host.h; it is opened here.
 */
#include "engine/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/unix_socket.h"
#include "engine/check.h"
#include "engine/core/client.h"
#include "engine/core/domain.h"
#include "engine/core/job.h"
#include "engine/core/ticket.h"
#include "engine/fork/fork.h"
#include "engine/qemu/qemu.h"
#include "engine/request/control_socket.h"
#include "engine/request/domain.h"
#include "engine/request/request.h"

#define CLONE_MEMORY (2 * 1024 * 1024) /* bytes expected of a forked clone */

/* The first is the one of programs that own their engine. */
static const struct backend_ops *const backends[] = { &backend_fork,
						      &backend_qemu, NULL };

/* ---- what happens in core/ ---------------------------------------------- */

static void on_domain_changed(struct domain *domain, const char *text)
{
	if (domain->state == DOMAIN_ENDED)
		job_domain_ended(domain);
	request_report_domain(domain, text);
	if (domain->state == DOMAIN_READY)
		job_domain_ready(domain);
}

/* A client has gone: nothing waits for it or is kept for it. */
static void on_client_closed(struct client *client)
{
	struct engine *engine = client->engine;
	struct domain *domain = client->domain;
	struct err err;

	ticket_forget_client(engine, client);
	job_forget_client(engine, client);
	domain_forget_client(engine, client);
	if (client == engine->owner) {
		engine->owner = NULL;
		if (!engine->is_ending)
			engine->is_over = 1;
	}
	client->domain = NULL;
	if (!domain)
		return;
	domain->client = NULL;
	if (client->role == ROLE_AGENT && client->cut_off) {
		/* a VM whose agent cannot be reached is of no use */
		err_set(&err, client->cut_off, "the agent's channel");
		domain_fail(domain, &err);
	}
	domain_lose_client(domain);
}

/* The domain that a client has cloned: itself, or, of an owner that is no
 * domain, the program. */
static struct domain *source_of(const struct client *client)
{
	const struct engine *engine = client->engine;

	return client == engine->owner && !client->domain
		       ? domain_find(engine, 0)
		       : client->domain;
}

/* Tells the backend for how many clones tickets are granted now. */
static void on_ticket_changed(struct ticket *ticket)
{
	struct engine *engine = ticket->engine;
	struct backend *backend = &engine->backend;
	struct client *owner = ticket->owner;
	struct domain *source;
	int n = 0;

	/* one that is used now is the clone operation's business */
	if (!owner || !backend->ops->expect ||
	    ticket->status == GC_TICKET_ACTIVE)
		return;
	source = source_of(owner);
	LIST_FOREACH(ticket, &engine->tickets, link)
		if (ticket->owner == owner &&
		    ticket->status == GC_TICKET_GRANTED)
			n += ticket->held;
	if (source && source->state == DOMAIN_READY)
		backend->ops->expect(backend, source, n);
}

static void on_place_lost(struct ticket *ticket, int place, const char *why)
{
	struct domain *domain = ticket->places[place].domain;
	struct err err;

	ledger_event(ticket->engine->ledger, "ticket revoked",
		     domain ? domain->vmid : -1, why, "");
	err_say(&err, -GC_EDENIED, "its place on %s was revoked: %s",
		ticket->places[place].placement.host, why);
	if (domain)
		domain_fail(domain, &err);
}

static const struct engine_events events = {
	.message_received = request_handle,
	.client_closed = on_client_closed,
	.domain_changed = on_domain_changed,
	.ticket_answered = request_ticket_answered,
	.ticket_changed = on_ticket_changed,
	.place_lost = on_place_lost,
};

/* ---- opening and closing ------------------------------------------------ */

/* All that cannot fail. */
static void init(struct engine *engine, const char *service)
{
	struct scheduler *scheduler = &engine->scheduler;

	snprintf(engine->name, sizeof engine->name, "%.64s-%d", service,
		 (int)getpid());
	engine->events = &events;
	engine->clone_cpus = 1;
	engine->clone_memory = CLONE_MEMORY;
	engine->backends = backends;
	engine->backend.ops = backends[0];
	engine->backend.engine = engine;
	scheduler->ops = &scheduler_local;
	scheduler->loop = &engine->loop;
	scheduler->owner = engine;
	LIST_INIT(&engine->hosts);
	LIST_INIT(&engine->clients);
	TAILQ_INIT(&engine->domains);
	TAILQ_INIT(&engine->ended);
	LIST_INIT(&engine->tickets);
	TAILQ_INIT(&engine->jobs);
	ticket_init(engine);
}

/* First of all, so that a failure after it can be reported. */
static int open_owner(struct engine *engine, int owner, struct err *err)
{
	int pid = unix_socket_peer(owner, NULL);

	engine->owner = client_new(engine, owner,
				   CLIENT_MAY_BE(ROLE_INSIDE) |
					   CLIENT_MAY_BE(ROLE_OUTSIDE));
	if (!engine->owner)
		return err_set(err, -ENOMEM, "owner's channel");
	engine->owner->pid = pid > 0 ? pid : 0;
	return 0;
}

int engine_open(struct engine *engine, int owner, const char *service,
		struct err *err)
{
	struct scheduler *scheduler = &engine->scheduler;
	int code;

	init(engine, service);
	code = loop_init(&engine->loop);
	if (code)
		return err_set(err, code, "event loop");
	if (open_owner(engine, owner, err) ||
	    state_open(&engine->state, 1, err) ||
	    host_open(&engine->home, &engine->hosts, &host_local, HOST_LOCAL,
		      &engine->loop, err) ||
	    scheduler->ops->open(scheduler, &engine->state, engine->name, err))
		return err->code;
	setenv("GRIDCENTRIC_STATE", engine->state.dir, 1);
	hooks_init(&engine->hooks, &engine->loop);
	engine->ledger = ledger_open(&engine->state, engine->name);
	return control_socket_open(engine, err);
}

void engine_report_fault(struct engine *engine, const struct err *err)
{
	struct client *owner = engine->owner;

	wire_put(channel_out(&owner->channel), WIRE_FAULT, WIRE_INT(err->code),
		 err->text);
	channel_send(&owner->channel);
}

void engine_run(struct engine *engine)
{
	while (!engine->is_over) {
		if (loop_turn(&engine->loop, -1) < 0)
			break;
		domain_free_ended(engine);
		engine_check(engine);
	}
}

void engine_close(struct engine *engine)
{
	domain_kill_all(engine);
	if (engine->backend.ops->close && engine->backend.data)
		engine->backend.ops->close(&engine->backend);
	/* and what is no domain yet */
	engine->home.ops->cut_lifelines(&engine->home);
	control_socket_close(engine);
	/* while its record is locked, nobody takes this engine for dead */
	ledger_close(engine->ledger);
	engine->scheduler.ops->close(&engine->scheduler);
	host_close(&engine->home);
	state_close(&engine->state);
	loop_free(&engine->loop); /* kills hooks that still run */
	lineage_free(&engine->lineage);
}
