/* engine - see engine.h */
#include "engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/core/client.h"
#include "engine/core/domain.h"
#include "engine/core/job.h"
#include "engine/core/ticket.h"
#include "engine/net/lan.h"
#include "engine/request/control_socket.h"
#include "engine/request/domain.h"
#include "engine/request/request.h"

#define LAZY	     (64 * 1024)       /* bytes that may wait to be sent */
#define CLONE_MEMORY (2 * 1024 * 1024) /* bytes expected of a forked clone */

/* A program in a VM reaches its clones by the network that they share, and
 * knows of no other domain. */
static void tell_watcher(struct client *watcher, const struct domain *domain,
			 const char *text)
{
	struct engine *engine = domain->engine;
	char address[16];

	if (!lineage_is_below(&engine->lineage, domain->vmid, watcher->vmid))
		return;
	lan_address(domain->vmid, address);
	wire_put(channel_out(&watcher->channel), WIRE_DOMAIN,
		 WIRE_INT(domain->vmid), WIRE_INT(domain->state),
		 WIRE_INT(domain->pid), WIRE_INT(domain->status), address,
		 WIRE_INT(engine->program_port),
		 domain->ticket ? domain->ticket->uuid : "", text);
	channel_send(&watcher->channel);
}

/* Tells the owner, where it is a controller or has clones to watch. */
static void on_domain_changed(struct domain *domain, const char *text)
{
	struct engine *engine = domain->engine;
	struct client *owner = engine->owner, *watcher;

	if (domain->state == DOMAIN_ENDED)
		job_domain_ended(domain);
	if (owner && owner->domain != domain) {
		wire_put(channel_out(&owner->channel), WIRE_DOMAIN,
			 WIRE_INT(domain->vmid), WIRE_INT(domain->state),
			 WIRE_INT(domain->pid), WIRE_INT(domain->status),
			 domain_ip(domain),
			 WIRE_INT(engine->host_port ? engine->host_port
						    : engine->program_port),
			 domain->ticket ? domain->ticket->uuid : "", text);
		/* a number alone can wait for what is sent next */
		if (domain->state != DOMAIN_STARTING ||
		    channel_out(&owner->channel)->len > LAZY)
			channel_send(&owner->channel);
	}
	for (watcher = engine->clients; watcher; watcher = watcher->next)
		if (watcher->watches && watcher->domain != domain)
			tell_watcher(watcher, domain, text);
}

/* A client has gone: nobody waits for it, nothing is kept for it. */
static void on_client_gone(struct client *client)
{
	struct engine *engine = client->engine;
	struct err err;

	ticket_forget_client(engine, client);
	job_forget_client(engine, client);
	domain_forget_client(engine, client);
	if (client == engine->owner) {
		engine->owner = NULL;
		if (!engine->ending)
			engine->over = 1;
	}
	if (client->domain && client->role == ROLE_AGENT && client->cut) {
		/* a VM that nobody can speak with is of no use */
		err_set(&err, client->cut, "the agent's channel");
		domain_fail(client->domain, &err);
	}
	if (client->domain)
		domain_unlink(client->domain);
}

/* What granted tickets promise to be cloned from one domain soon. */
static void on_ticket_changed(struct ticket *ticket)
{
	struct engine *engine = ticket->engine;
	struct backend *backend = &engine->backend;
	struct client *owner = ticket->owner;
	struct domain *source;
	int n = 0;

	/* one that is used now is the clone operation's affair */
	if (!owner || !backend->ops->expect ||
	    ticket->status == GC_TICKET_PENDING ||
	    ticket->status == GC_TICKET_ACTIVE)
		return;
	source = owner == engine->owner && !owner->domain
			 ? domain_find(engine, 0)
			 : owner->domain;
	for (ticket = engine->tickets; ticket; ticket = ticket->next)
		if (ticket->owner == owner &&
		    ticket->status == GC_TICKET_GRANTED)
			n += ticket->vms;
	if (source && source->state == DOMAIN_READY)
		backend->ops->expect(backend, source, n);
}

int engine_open(struct engine *engine, int owner, const char *service,
		struct err *err)
{
	struct scheduler *scheduler = &engine->scheduler;
	int code;

	snprintf(engine->name, sizeof engine->name, "%.64s-%d", service,
		 (int)getpid());
	engine->client_said = request_handle;
	engine->client_gone = on_client_gone;
	engine->domain_changed = on_domain_changed;
	engine->ticket_answered = request_ticket_answered;
	engine->ticket_changed = on_ticket_changed;
	engine->clone_cpus = 1;
	engine->clone_memory = CLONE_MEMORY;
	engine->backend.ops = &backend_fork;
	engine->backend.engine = engine;
	scheduler->ops = &scheduler_local;
	scheduler->loop = &engine->loop;
	scheduler->owner = engine;
	ticket_init(engine);
	job_init(engine);
	code = loop_init(&engine->loop);
	if (code)
		return err_set(err, code, "event loop");
	/* first of all, so that a failure below can be told */
	engine->owner = client_new(engine, owner);
	if (!engine->owner)
		return err_set(err, -ENOMEM, "owner's channel");
	if (pipe2(engine->lifeline, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_set(err, -errno, "lifeline");
	if (state_open(&engine->state, 1, err) ||
	    addresses_open(&engine->addresses, &engine->loop, err) ||
	    scheduler->ops->open(scheduler, &engine->state, engine->name, err))
		return err->code;
	setenv("GRIDCENTRIC_STATE", engine->state.dir, 1);
	hooks_init(&engine->hooks, &engine->loop);
	engine->ledger =
		ledger_open(&engine->loop, &engine->state, engine->name);
	return control_socket_open(engine, err);
}

void engine_fault(struct engine *engine, const struct err *err)
{
	struct client *owner = engine->owner;

	wire_put(channel_out(&owner->channel), WIRE_FAULT, WIRE_INT(err->code),
		 err->text);
	channel_send(&owner->channel);
}

void engine_run(struct engine *engine)
{
	while (!engine->over)
		if (loop_turn(&engine->loop, -1) < 0)
			break;
}

void engine_close(struct engine *engine)
{
	domain_kill_all(engine);
	if (engine->backend.ops->close && engine->backend.data)
		engine->backend.ops->close(&engine->backend);
	/* and whoever is no domain yet */
	close(engine->lifeline[1]);
	control_socket_close(engine);
	/* while its record is locked, nobody takes this engine for dead */
	ledger_close(engine->ledger);
	engine->scheduler.ops->close(&engine->scheduler);
	addresses_close(&engine->addresses);
	state_close(&engine->state);
	loop_free(&engine->loop); /* kills hooks that still run */
	lineage_free(&engine->lineage);
}
