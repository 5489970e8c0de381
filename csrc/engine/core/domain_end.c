/*
 * domain_end - how a domain comes to its end: see domain.h
 *
 *	domain_stop()	a signal, and SIGKILL when its grace is over
 *	domain_fail()	SIGKILL at once
 *	   |
 *	domain_on_exited()	its process is dead: nobody is to reach it any more
 *	   |		Where the process was another one's child, that one
 *	   |		reaps it and reports the status (EXITED).
 *	end_dead()	what it said before is read; it may be that it was ready
 *	   |
 *	end()		ENDED: everything that refers to it lets go
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "engine/core/client.h"
#include "engine/core/domain.h"
#include "engine/core/ticket.h"

#define NEWBORN_MS 1000 /* in which a clone is not told to end */
/* The parent reports an exit status when it is back in its event loop. */
#define STATUS_WAIT_MS 1000

static void on_status_late(struct loop_timer *timer);

/* ---- ended -------------------------------------------------------------- */

static void answer_waiters(struct domain *domain)
{
	static const struct err none = { 0 };
	struct waiter *waiter;

	while ((waiter = SLIST_FIRST(&domain->waiters))) {
		SLIST_REMOVE_HEAD(&domain->waiters, link);
		client_send_done(waiter->client, waiter->op, &none);
		free(waiter);
	}
}

/* The parent of the child's process has ended: the process is given to the next
 * subreaper. Outside that is the engine; inside it is the master, which has to
 * reap it from now on, unless it is the master that has ended. */
static void give_to_subreaper(struct domain *child)
{
	struct client *owner = child->engine->owner;

	child->parent = NULL;
	if (owner && owner->role == ROLE_INSIDE && owner->domain) {
		assert(owner->domain != child);
		child->parent = owner->domain;
		wire_put(channel_out(&owner->channel), WIRE_ADOPT,
			 WIRE_INT(child->process.pid));
		channel_send(&owner->channel);
	} else if (child->status_timer.loop) {
		/* the report that it waits for will not come */
		loop_timer_start(&child->engine->loop, &child->status_timer, 0,
				 on_status_late);
	}
}

static void orphan_children(struct domain *domain)
{
	struct domain *child;

	TAILQ_FOREACH(child, &domain->engine->domains, link)
		if (child->parent == domain)
			give_to_subreaper(child);
}

/* An engine that is to end does so when only its owner's own domain, if any, is
 * left. */
static void end_with_last(struct engine *engine)
{
	const struct domain *domain;

	if (!engine->is_ending)
		return;
	TAILQ_FOREACH(domain, &engine->domains, link)
		if (!engine->owner || domain->client != engine->owner)
			return;
	engine->is_over = 1;
}

static void retire_lease(struct domain *domain)
{
	if (domain->lease)
		domain->host->ops->retire(domain->lease);
	domain->lease = NULL;
}

/* Stops all that could still call the domain. */
static void silence(struct domain *domain)
{
	loop_timer_stop(&domain->deadline);
	loop_timer_stop(&domain->status_timer);
	if (domain->hook)
		hook_cancel(domain->hook);
	domain->hook = NULL;
	retire_lease(domain);
}

static void leave_engine(struct domain *domain)
{
	struct engine *engine = domain->engine;

	assert(engine->by_vmid[domain->vmid] == domain);
	engine->by_vmid[domain->vmid] = NULL;
	TAILQ_REMOVE(&engine->domains, domain, link);
	TAILQ_INSERT_TAIL(&engine->ended, domain, link);
	orphan_children(domain);
}

static void leave_ticket(struct domain *domain)
{
	if (!domain->ticket)
		return;
	ticket_leave_place(domain->ticket, domain->place);
	ticket_unref(domain->ticket);
	domain->ticket = NULL;
}

/* A client that never said HELLO goes with its domain: its process, if it is
 * still to be made, sees by that that nobody waits for it. */
static void leave_client(struct domain *domain)
{
	struct client *client = domain->client;

	domain->client = NULL;
	if (!client)
		return;
	client->domain = NULL;
	if (client->role == CLIENT_UNKNOWN)
		client_close(client);
}

static void end(struct domain *domain)
{
	struct backend *backend = &domain->engine->backend;

	if (domain->state == DOMAIN_ENDED)
		return;
	if (backend->ops->explain_end)
		backend->ops->explain_end(backend, domain);
	silence(domain);
	leave_engine(domain);
	domain_set_state(domain, DOMAIN_ENDED,
			 domain->failure.code ? domain->failure.text : "");
	end_with_last(domain->engine);
	answer_waiters(domain);
	leave_ticket(domain);
	leave_client(domain);
	domain->parent = NULL;
	if (domain->process.host)
		domain->host->ops->forget(&domain->process);
	assert(!domain->job && !domain->hook && !domain->lease);
}

void domain_free_ended(struct engine *engine)
{
	struct domain *domain;

	while ((domain = TAILQ_FIRST(&engine->ended))) {
		assert(domain->state == DOMAIN_ENDED && !domain->client);
		assert(!domain->deadline.loop && !domain->status_timer.loop);
		TAILQ_REMOVE(&engine->ended, domain, link);
		free(domain);
	}
}

/* ---- its process is dead ------------------------------------------------ */

/* What it said before it died, perhaps that it was ready, may not have been read
 * yet. */
static void end_dead(struct domain *domain)
{
	domain->is_ending = 1;
	if (domain->client)
		channel_receive(&domain->client->channel);
	if (domain->is_up && domain->state == DOMAIN_STARTING)
		domain_set_ready(domain);
	end(domain);
}

static void on_status_late(struct loop_timer *timer)
{
	struct domain *domain =
		container_of(timer, struct domain, status_timer);

	/* it may have become the engine's child by now */
	if (domain->process.host)
		domain->host->ops->reap(&domain->process);
	end_dead(domain);
}

void domain_on_exited(struct host_process *process)
{
	struct domain *domain = container_of(process, struct domain, process);

	assert(process->has_ended && process->pid);
	assert(domain->state != DOMAIN_ENDED && !domain->status_timer.loop);
	/* at once: nobody is to reach it any more */
	retire_lease(domain);
	if (process->status < 0)
		process->status = domain->reported_status;
	if (process->status >= 0 || (process->host && !domain->parent))
		end_dead(domain);
	else
		loop_timer_start(&domain->engine->loop, &domain->status_timer,
				 STATUS_WAIT_MS, on_status_late);
}

void domain_reaped(struct domain *domain, int status)
{
	/* good for nothing while the process runs */
	domain->reported_status = status;
	if (!domain->status_timer.loop)
		return;
	domain->process.status = status;
	end_dead(domain);
}

/* ---- made to end -------------------------------------------------------- */

void domain_fail(struct domain *domain, const struct err *err)
{
	assert(err->code < 0);
	if (domain->failure.code || domain->state == DOMAIN_ENDED)
		return;
	domain->failure = *err;
	if (domain->is_ending)
		return; /* end_dead() is at work on it */
	if (domain->process.host)
		host_kill(&domain->process, SIGKILL); /* exited() follows */
	else
		end(domain);
}

static void on_grace_over(struct loop_timer *timer)
{
	struct domain *domain = container_of(timer, struct domain, deadline);

	host_kill(&domain->process, SIGKILL);
}

/* Asks the backend where a signal would not reach the program. Returns 1 if it
 * was asked. A domain that is not up yet does not listen. */
static int ask_backend(struct domain *domain, enum domain_state was,
		       int grace_ms)
{
	struct backend *backend = &domain->engine->backend;

	if (!backend->ops->stop || was == DOMAIN_STARTING)
		return 0;
	return was == DOMAIN_STOPPING ||
	       backend->ops->stop(backend, domain, grace_ms);
}

static void add_waiter(struct domain *domain, struct client *client, int64_t op)
{
	struct waiter *waiter = calloc(1, sizeof *waiter);
	struct err err;

	if (!waiter) {
		err_set(&err, -ENOMEM, "domain %d", domain->vmid);
		client_send_done(client, op, &err);
		return;
	}
	waiter->client = client;
	waiter->op = op;
	SLIST_INSERT_HEAD(&domain->waiters, waiter, link);
}

void domain_stop(struct domain *domain, int grace_ms, struct client *client,
		 int64_t op)
{
	static const struct err early = { -ECANCELED,
					  "ended before it had started" };
	enum domain_state was = domain->state;

	assert(was != DOMAIN_ENDED);
	if (client)
		add_waiter(domain, client, op);
	if (was != DOMAIN_STOPPING)
		domain_set_state(domain, DOMAIN_STOPPING, "");
	if (grace_ms <= 0)
		host_kill(&domain->process, SIGKILL);
	else if (!ask_backend(domain, was, grace_ms))
		host_kill(&domain->process, SIGTERM);
	/* a second request cannot put the end off */
	if (grace_ms > 0 && (was != DOMAIN_STOPPING ||
			     loop_now() + grace_ms < domain->deadline.due_ms))
		loop_timer_start(&domain->engine->loop, &domain->deadline,
				 grace_ms, on_grace_over);
	if (!domain->process.pid)
		domain_fail(domain, &early);
}

void domain_hurry(struct domain *domain, int rest_ms)
{
	if (domain->state == DOMAIN_STOPPING && domain->deadline.loop &&
	    loop_now() + rest_ms < domain->deadline.due_ms)
		loop_timer_start(&domain->engine->loop, &domain->deadline,
				 rest_ms, on_grace_over);
}

int domain_count_waiters(const struct domain *domain,
			 const struct client *client)
{
	const struct waiter *waiter;
	int n = 0;

	SLIST_FOREACH(waiter, &domain->waiters, link)
		n += waiter->client == client;
	return n;
}

/* ---- its channel is closed ---------------------------------------------- */

void domain_lose_client(struct domain *domain)
{
	static const struct err lost = {
		-GC_EDIED, "the domain ended before it was ready"
	};

	domain->client = NULL;
	if (domain->is_ending || domain->state == DOMAIN_ENDED)
		return;
	/* without a process, or with one that is not watched (an inside
	 * master), nothing else would report its end */
	if (!domain->process.pid)
		domain_fail(domain, &lost);
	else if (!domain->process.host && !domain->status_timer.loop)
		end(domain);
}

void domain_forget_client(struct engine *engine, const struct client *client)
{
	struct domain *domain;
	struct waiter *waiter;

	TAILQ_FOREACH(domain, &engine->domains, link)
		SLIST_FOREACH(waiter, &domain->waiters, link)
			if (waiter->client == client)
				waiter->client = NULL;
}

/* ---- the end of all ----------------------------------------------------- */

static void on_newborn_time_over(struct loop_timer *timer)
{
	struct domain *domain = container_of(timer, struct domain, deadline);

	domain_stop(domain, domain->engine->grace_ms, NULL, 0);
}

/* A program may end right after it was cloned, when its clones have not run a
 * line yet: they have a moment to end by themselves. A controller knows what it
 * does. */
static void end_one(struct domain *domain)
{
	struct engine *engine = domain->engine;
	int64_t left = domain->made_ms + NEWBORN_MS - loop_now();

	if (engine->is_inside && domain->state == DOMAIN_READY &&
	    engine->grace_ms && left > 0)
		loop_timer_start(&engine->loop, &domain->deadline, left,
				 on_newborn_time_over);
	else
		domain_stop(domain, engine->grace_ms, NULL, 0);
}

void domain_end_all(struct engine *engine, int grace_ms)
{
	struct domain *domain;
	int vmid = -1;

	engine->is_ending = 1;
	engine->grace_ms = grace_ms;
	while ((domain = domain_after(engine, vmid))) {
		vmid = domain->vmid;
		if (!engine->owner || domain->client != engine->owner)
			end_one(domain);
	}
	end_with_last(engine);
}

void domain_kill_all(struct engine *engine)
{
	struct domain *domain;

	TAILQ_FOREACH(domain, &engine->domains, link)
		host_kill(&domain->process, SIGKILL);
}
