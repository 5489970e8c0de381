/*
 * domain - see domain.h
 *
 * A long file, as what leads from state to state is in no other: who said so,
 * who was waited for, and who is told.
 */
#include "engine/core/domain.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/process.h"
#include "engine/core/client.h"
#include "engine/core/ticket.h"
#include "wire/names.h"

#define NEWBORN_MS 1000 /* in which a clone is not told to end */
/* For the parent's word on an exit status: it comes when the parent is back in
 * its event loop. */
#define STATUS_WAIT_MS 1000

/* ---- making and finding ------------------------------------------------ */

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

static int make_channel(struct domain *domain)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	domain->client = client_new(domain->engine, sv[0]);
	if (!domain->client) {
		close(sv[1]);
		return -ENOMEM;
	}
	domain->client->domain = domain;
	domain->client->vmid = domain->vmid;
	domain->far_end = sv[1];
	return 0;
}

struct domain *domain_new(struct engine *engine, int vmid,
			  struct client *client, struct err *err)
{
	struct domain *domain = calloc(1, sizeof *domain), **at;
	int code = domain ? 0 : -ENOMEM;

	if (!code) {
		domain->engine = engine;
		domain->vmid = vmid;
		domain->status = domain->program_status = -1;
		domain->far_end = -1;
		domain->pidfd.fd = -1;
		domain->made_ms = loop_now();
		code = make_token(domain->token);
	}
	if (!code && client) {
		domain->client = client;
		client->domain = domain;
		client->vmid = vmid;
	} else if (!code) {
		code = make_channel(domain);
	}
	if (code) {
		free(domain);
		err_set(err, code, "domain %d", vmid);
		return NULL;
	}
	/* last, so that lists come by vmid */
	for (at = &engine->domains; *at; at = &(*at)->next)
		;
	domain->self = at;
	*at = domain;
	return domain;
}

struct domain *domain_find(struct engine *engine, int vmid)
{
	struct domain *domain = engine->domains;

	while (domain && domain->vmid != vmid)
		domain = domain->next;
	return domain;
}

struct domain *domain_of_pid(struct engine *engine, int pid)
{
	struct domain *domain = engine->domains;

	while (domain && domain->pid != pid)
		domain = domain->next;
	return domain;
}

const char *domain_ip(const struct domain *domain)
{
	if (domain->ip[0])
		return domain->ip;
	return domain->lease ? domain->lease->ip : "";
}

void domain_endpoints(const struct domain *domain, char *text, size_t size)
{
	const struct lease *lease = domain->lease;
	size_t len = 0;
	int i;

	text[0] = '\0';
	if (domain->vmid == 0 && !lease && domain->engine->program_port)
		snprintf(text, size, "%d=127.0.0.1:%d",
			 domain->engine->program_port,
			 domain->engine->program_port);
	/* of a VM, whose own sockets are not here */
	if (lease && lease->nsockets == 0 && domain->engine->program_port)
		snprintf(text, size, "%d=%s:%d", domain->engine->program_port,
			 domain_ip(domain), domain->engine->host_port);
	for (i = 0; lease && i < lease->nsockets && len < size; i++) {
		const struct listener *is = &lease->sockets[i].is;

		if (is->type == SOCK_STREAM)
			len += (size_t)snprintf(text + len, size - len,
						"%s%d=%s:%d", len ? " " : "",
						is->port, lease->ip, is->port);
	}
}

/* ---- changing ---------------------------------------------------------- */

static void changed(struct domain *domain, enum domain_state state,
		    const char *text)
{
	char endpoints[512];

	domain->state = state;
	domain_endpoints(domain, endpoints, sizeof endpoints);
	ledger_domain(domain->engine->ledger, domain->vmid, domain->pid,
		      domain_state_name(state), "localhost", endpoints,
		      domain->ticket ? domain->ticket->uuid : "",
		      domain->status);
	domain->engine->domain_changed(domain, text);
}

static void on_status_late(struct loop_timer *timer);

static void free_domain(struct loop_source *pidfd)
{
	free(container_of(pidfd, struct domain, pidfd));
}

static void answer_waiters(struct domain *domain)
{
	static const struct err none = { 0 };
	struct waiter *waiter;

	while ((waiter = domain->waiters)) {
		domain->waiters = waiter->next;
		client_done(waiter->client, waiter->op, &none);
		free(waiter);
	}
}

/* Its parent has ended; whoever is their subreaper has it now: outside the
 * engine; inside the master, unless it is that which has ended. */
static void orphan(struct domain *child)
{
	struct client *owner = child->engine->owner;

	child->parent_pid = 0;
	if (owner && owner->role == ROLE_INSIDE && owner->domain) {
		child->parent_pid = owner->domain->pid;
		wire_put(channel_out(&owner->channel), WIRE_ADOPT,
			 WIRE_INT(child->pid));
		channel_send(&owner->channel);
	} else if (child->status_timer.loop) {
		/* the word that it waits for will not come */
		loop_timer_start(&child->engine->loop, &child->status_timer, 0,
				 on_status_late);
	}
}

static void orphan_children(struct domain *domain)
{
	struct domain *child;

	for (child = domain->engine->domains; child; child = child->next)
		if (domain->pid && child->parent_pid == domain->pid)
			orphan(child);
}

/* An engine that is told to end does so when only its owner's own domain, if
 * any, is left. */
static void end_with_last(struct engine *engine)
{
	const struct domain *domain;

	if (!engine->ending)
		return;
	for (domain = engine->domains; domain; domain = domain->next)
		if (!engine->owner || domain->client != engine->owner)
			return;
	engine->over = 1;
}

/* The last act. */
static void end(struct domain *domain)
{
	struct backend *backend = &domain->engine->backend;
	struct client *client = domain->client;
	const char *text;

	if (domain->state == DOMAIN_ENDED)
		return;
	if (backend->ops->ended)
		backend->ops->ended(backend, domain);
	text = domain->failure.code ? domain->failure.text : "";
	loop_timer_stop(&domain->deadline);
	loop_timer_stop(&domain->status_timer);
	if (domain->hook)
		hook_cancel(domain->hook);
	domain->hook = NULL;
	if (domain->far_end >= 0)
		close(domain->far_end);
	if (domain->lease)
		address_retire(domain->lease);
	*domain->self = domain->next;
	if (domain->next)
		domain->next->self = domain->self;
	orphan_children(domain);
	changed(domain, DOMAIN_ENDED, text);
	end_with_last(domain->engine);
	answer_waiters(domain);
	if (domain->ticket)
		ticket_domain_ended(domain->ticket);
	if (client)
		client->domain = NULL;
	/* its process, if it is still to be made, sees that nobody waits */
	if (client && client->role < 0)
		client_drop(client);
	if (domain->pidfd.fd >= 0)
		loop_close(&domain->pidfd, free_domain);
	else
		free(domain);
}

/* Its process is dead; what it said before, that it was ready perhaps, may
 * not have been read yet. */
static void end_dead(struct domain *domain)
{
	domain->dead = 1;
	if (domain->client)
		channel_receive(&domain->client->channel);
	if (domain->said_ready && domain->state == DOMAIN_STARTING)
		domain_ready(domain);
	end(domain);
}

/* Reaps it where it is a child of the engine. */
static void reap(struct domain *domain)
{
	if (domain->pidfd.fd >= 0)
		process_reap(domain->pidfd.fd, &domain->status);
}

static void on_status_late(struct loop_timer *timer)
{
	struct domain *domain =
		container_of(timer, struct domain, status_timer);

	reap(domain); /* it may have become the engine's by now */
	end_dead(domain);
}

/* The process has ended: whose child is it, and what is its status? */
static void on_dead(struct loop_source *source, uint32_t events)
{
	struct domain *domain = container_of(source, struct domain, pidfd);

	if (domain->status_timer.loop)
		return; /* known: somebody has reaped it now */
	/* at once: nobody is to reach it any more */
	if (domain->lease)
		address_retire(domain->lease);
	domain->lease = NULL;
	reap(domain);
	if (domain->status >= 0 || !domain->parent_pid) {
		end_dead(domain);
		return;
	}
	loop_change(source, EPOLLET); /* once more at most */
	loop_timer_start(&domain->engine->loop, &domain->status_timer,
			 STATUS_WAIT_MS, on_status_late);
}

void domain_reaped(struct domain *domain, int status)
{
	domain->status = status;
	if (domain->status_timer.loop)
		end_dead(domain);
	/* else its pidfd will tell */
}

void domain_has_pid(struct domain *domain, int pid)
{
	struct err err;
	int code;

	if (domain->pid)
		return;
	domain->pid = pid;
	code = process_watch(&domain->pidfd, &domain->engine->loop, pid,
			     on_dead);
	if (!code)
		return;
	if (code != -ESRCH) {
		/* no room: its end would not be seen */
		err_set(&err, code, "domain %d", domain->vmid);
		kill(pid, SIGKILL);
		domain_fail(domain, &err);
		return;
	}
	/* it has ended and is reaped already: its status is on the way */
	loop_timer_start(&domain->engine->loop, &domain->status_timer,
			 STATUS_WAIT_MS, on_status_late);
}

void domain_announce(struct domain *domain, const char *text)
{
	changed(domain, DOMAIN_STARTING, text);
}

void domain_ready(struct domain *domain)
{
	loop_timer_stop(&domain->deadline);
	changed(domain, DOMAIN_READY, "");
}

static void send_signal(struct domain *domain, int signal)
{
	if (domain->pidfd.fd >= 0)
		process_signal(domain->pidfd.fd, signal);
}

static void on_grace_over(struct loop_timer *timer)
{
	send_signal(container_of(timer, struct domain, deadline), SIGKILL);
}

void domain_fail(struct domain *domain, const struct err *why)
{
	if (domain->failure.code)
		return;
	domain->failure = *why;
	if (domain->dead)
		return; /* end_dead() is at work on it */
	if (domain->pidfd.fd < 0)
		end(domain);
	else
		send_signal(domain, SIGKILL); /* its pidfd does the rest */
}

/* Where a signal would not reach the program. It has to be up to hear. */
static int ask_to_end(struct domain *domain, enum domain_state was,
		      int grace_ms)
{
	struct backend *backend = &domain->engine->backend;

	if (!backend->ops->stop || was == DOMAIN_STARTING)
		return 0;
	return was == DOMAIN_STOPPING ||
	       backend->ops->stop(backend, domain, grace_ms);
}

void domain_stop(struct domain *domain, int grace_ms, struct client *client,
		 int64_t op)
{
	struct waiter *waiter = calloc(1, sizeof *waiter);
	enum domain_state was;

	if (waiter) {
		waiter->client = client;
		waiter->op = op;
		waiter->next = domain->waiters;
		domain->waiters = waiter;
	}
	was = domain->state;
	if (was != DOMAIN_STOPPING)
		changed(domain, DOMAIN_STOPPING, "");
	if (grace_ms <= 0)
		send_signal(domain, SIGKILL);
	else if (!ask_to_end(domain, was, grace_ms))
		send_signal(domain, SIGTERM);
	/* who asks again cannot put the end off */
	if (grace_ms > 0 && (was != DOMAIN_STOPPING ||
			     loop_now() + grace_ms < domain->deadline.due_ms))
		loop_timer_start(&domain->engine->loop, &domain->deadline,
				 grace_ms, on_grace_over);
	if (!domain->pid) {
		static const struct err early = {
			-ECANCELED, "ended before it had started"
		};

		domain_fail(domain, &early);
	}
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

	for (waiter = domain->waiters; waiter; waiter = waiter->next)
		n += waiter->client == client;
	return n;
}

void domain_unlink(struct domain *domain)
{
	static const struct err lost = {
		-GC_EDIED, "the domain ended before it was ready"
	};

	domain->client = NULL;
	if (domain->dead)
		return;
	/* without a process, or with one that is not watched (an inside
	 * master), there is nothing else that would tell of its end */
	if (!domain->pid)
		domain_fail(domain, &lost);
	else if (domain->pidfd.fd < 0 && !domain->status_timer.loop)
		end(domain);
}

void domain_forget_client(struct engine *engine, const struct client *client)
{
	struct domain *domain;
	struct waiter *waiter;

	for (domain = engine->domains; domain; domain = domain->next)
		for (waiter = domain->waiters; waiter; waiter = waiter->next)
			if (waiter->client == client)
				waiter->client = NULL;
}

static void on_newborn_time_over(struct loop_timer *timer)
{
	struct domain *domain = container_of(timer, struct domain, deadline);

	domain_stop(domain, domain->engine->grace_ms, NULL, 0);
}

/* A program may end right after it was cloned, when its clones have not run a
 * line yet: these have a moment to end by themselves. A controller knows what
 * it does. */
static void end_one(struct domain *domain)
{
	struct engine *engine = domain->engine;
	int64_t left = domain->made_ms + NEWBORN_MS - loop_now();

	if (engine->inside && domain->state == DOMAIN_READY &&
	    engine->grace_ms && left > 0)
		loop_timer_start(&engine->loop, &domain->deadline, left,
				 on_newborn_time_over);
	else
		domain_stop(domain, engine->grace_ms, NULL, 0);
}

void domain_end_all(struct engine *engine, int grace_ms)
{
	struct domain *domain, *next;

	engine->ending = 1;
	engine->grace_ms = grace_ms;
	for (domain = engine->domains; domain; domain = next) {
		next = domain->next;
		if (!engine->owner || domain->client != engine->owner)
			end_one(domain);
	}
	end_with_last(engine);
}

void domain_kill_all(struct engine *engine)
{
	struct domain *domain;

	for (domain = engine->domains; domain; domain = domain->next)
		send_signal(domain, SIGKILL);
}
