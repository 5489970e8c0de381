/* ticket - see ticket.h */
#include "engine/core/ticket.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/setting.h"
#include "engine/core/client.h"

#define LEASE_MS       30000 /* a granted ticket that is not used expires */
#define MAX_TIMEOUT_MS (24 * 3600 * 1000)
#define MAX_PER_CLIENT 10000 /* open tickets: a loop that has gone wild */
#define MAX_PER_GUEST  64    /* open tickets of a VM, which is not trusted */
#define KEEP_OVER      1000  /* tickets that are over, for ticket_info */

static int is_over(const struct ticket *ticket)
{
	return ticket->status >= GC_TICKET_RELEASED;
}

/* Whether the diagram in ticket.h has that arrow. */
static int is_step(gc_ticket_status_t from, gc_ticket_status_t to)
{
	switch (to) {
	case GC_TICKET_GRANTED:
	case GC_TICKET_DENIED:
	case GC_TICKET_CANCELLED: return from == GC_TICKET_PENDING;
	case GC_TICKET_ACTIVE:
	case GC_TICKET_EXPIRED: return from == GC_TICKET_GRANTED;
	case GC_TICKET_RELEASED:
	case GC_TICKET_REVOKED:
		return from == GC_TICKET_GRANTED || from == GC_TICKET_ACTIVE;
	default: return 0;
	}
}

static void publish_status(const struct ticket *ticket)
{
	ledger_ticket(ticket->engine->ledger, ticket->uuid,
		      gc_ticket_status_string(ticket->status), ticket->cpus,
		      ticket->vms, ticket->request.mincpuspervm,
		      ticket->owner_vmid);
}

static void set_status(struct ticket *ticket, gc_ticket_status_t status)
{
	assert(is_step(ticket->status, status));
	ticket->status = status;
	if (status != GC_TICKET_GRANTED)
		loop_timer_stop(&ticket->lease);
	publish_status(ticket);
	ticket->engine->events->ticket_changed(ticket);
}

static int make_uuid(char *text)
{
	unsigned char b[16];

	if (getrandom(b, sizeof b, 0) != sizeof b)
		return -errno;
	b[6] = (b[6] & 0x0f) | 0x40; /* version 4: random */
	b[8] = (b[8] & 0x3f) | 0x80; /* variant of RFC 9562 */
	snprintf(text, 37,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
		 "%02x%02x%02x%02x%02x%02x",
		 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9],
		 b[10], b[11], b[12], b[13], b[14], b[15]);
	return 0;
}

static void free_ticket(struct ticket *ticket)
{
	assert(ticket->held == 0 && ticket->used == 0 && ticket->refs == 0);
	assert(!ticket->lease.loop);
	free(ticket->places);
	free(ticket);
}

/* Forgets the oldest of those that are over, beyond KEEP_OVER. */
static void trim(struct engine *engine)
{
	struct ticket *ticket = LIST_FIRST(&engine->tickets), *next;
	int over = 0;

	for (; ticket; ticket = next) {
		next = LIST_NEXT(ticket, link);
		if (!is_over(ticket) || ticket->refs || ++over <= KEEP_OVER)
			continue;
		LIST_REMOVE(ticket, link);
		free_ticket(ticket);
	}
}

void ticket_ref(struct ticket *ticket)
{
	ticket->refs++;
}

void ticket_unref(struct ticket *ticket)
{
	assert(ticket->refs > 0);
	ticket->refs--;
}

static int check_request(int maxcpus, int minvms, int mincpuspervm,
			 int timeout_ms, struct err *err)
{
	static const char *const names[] = { "maxcpus", "minvms",
					     "mincpuspervm" };
	int values[] = { maxcpus, minvms, mincpuspervm };
	int i;

	for (i = 0; i < 3; i++)
		if (values[i] < 1)
			return err_say(err, -GC_EIMPOSSIBLE,
				       "%s is %d: it must be at least 1",
				       names[i], values[i]);
	if (timeout_ms < 0 || timeout_ms > MAX_TIMEOUT_MS)
		return err_say(err, -GC_EIMPOSSIBLE,
			       "timeout_ms is %d: it must be from 0 to %d",
			       timeout_ms, MAX_TIMEOUT_MS);
	return 0;
}

static int count_open(const struct client *owner)
{
	const struct ticket *ticket;
	int n = 0;

	LIST_FOREACH(ticket, &owner->engine->tickets, link)
		n += ticket->owner == owner && !is_over(ticket);
	return n;
}

struct ticket *ticket_request(struct client *owner, int64_t op, int maxcpus,
			      int minvms, int mincpuspervm, int timeout_ms,
			      struct err *err)
{
	struct engine *engine = owner->engine;
	struct scheduler *scheduler = &engine->scheduler;
	int most = owner->role == ROLE_AGENT ? MAX_PER_GUEST : MAX_PER_CLIENT;
	struct ticket *ticket;

	if (check_request(maxcpus, minvms, mincpuspervm, timeout_ms, err))
		return NULL;
	if (count_open(owner) >= most) {
		err_say(err, -GC_EDENIED, "%d tickets of this domain are open",
			most);
		return NULL;
	}
	ticket = calloc(1, sizeof *ticket);
	if (!ticket || make_uuid(ticket->uuid)) {
		free(ticket);
		err_set(err, -ENOMEM, "ticket");
		return NULL;
	}
	ticket->engine = engine;
	ticket->owner = owner;
	ticket->owner_vmid = owner->vmid;
	ticket->op = op;
	ticket->request.maxcpus = maxcpus;
	ticket->request.minvms = minvms;
	ticket->request.mincpuspervm = mincpuspervm > engine->clone_cpus
					       ? mincpuspervm
					       : engine->clone_cpus;
	ticket->request.timeout_ms = timeout_ms;
	ticket->request.memory = engine->clone_memory;
	if (scheduler->ops->request(scheduler, &ticket->request, err)) {
		free_ticket(ticket);
		return NULL;
	}
	ticket->status = GC_TICKET_PENDING;
	LIST_INSERT_HEAD(&engine->tickets, ticket, link);
	publish_status(ticket);
	trim(engine);
	return ticket;
}

struct ticket *ticket_find(struct client *owner, const char *uuid,
			   struct err *err)
{
	struct ticket *ticket;

	LIST_FOREACH(ticket, &owner->engine->tickets, link)
		if (strcmp(ticket->uuid, uuid) == 0)
			break;
	if (!ticket)
		err_say(err, -GC_ENOTICKET, "no such ticket: %.40s", uuid);
	else if (ticket->owner != owner)
		err_say(err, -GC_ENOTOWNER,
			"ticket %s belongs to another domain", uuid);
	else
		return ticket;
	return NULL;
}

/* ---- places ------------------------------------------------------------- */

static void return_place(struct ticket *ticket, int i)
{
	struct scheduler *scheduler = &ticket->engine->scheduler;
	struct place *place = &ticket->places[i];

	assert(place->state == PLACE_FREE || place->state == PLACE_USED);
	if (place->state == PLACE_USED)
		ticket->used--;
	ticket->held--;
	assert(ticket->held >= ticket->used && ticket->used >= 0);
	place->state = PLACE_RETURNED;
	scheduler->ops->release(scheduler, &ticket->request, i);
}

static void return_free_places(struct ticket *ticket)
{
	int i;

	for (i = 0; i < ticket->vms; i++)
		if (ticket->places[i].state == PLACE_FREE)
			return_place(ticket, i);
}

int ticket_use(struct ticket *ticket, struct err *err)
{
	int i;

	if (ticket->status != GC_TICKET_GRANTED)
		return err_say(err, -GC_EUSED, "ticket %s is %s, not granted",
			       ticket->uuid,
			       gc_ticket_status_string(ticket->status));
	for (i = 0; i < ticket->vms; i++) {
		if (ticket->places[i].state != PLACE_FREE)
			continue;
		ticket->places[i].state = PLACE_USED;
		ticket->used++;
	}
	assert(ticket->used > 0 && ticket->used == ticket->held);
	set_status(ticket, GC_TICKET_ACTIVE);
	return 0;
}

int ticket_release(struct ticket *ticket, struct err *err)
{
	struct scheduler *scheduler = &ticket->engine->scheduler;

	if (is_over(ticket))
		return err_say(err, -GC_EUSED, "ticket %s is %s already",
			       ticket->uuid,
			       gc_ticket_status_string(ticket->status));
	if (ticket->status == GC_TICKET_PENDING) {
		scheduler->ops->cancel(scheduler, &ticket->request);
		set_status(ticket, GC_TICKET_CANCELLED);
		return 0;
	}
	return_free_places(ticket);
	set_status(ticket, GC_TICKET_RELEASED);
	return 0;
}

void ticket_start_place(struct ticket *ticket, int i)
{
	struct scheduler *scheduler = &ticket->engine->scheduler;

	assert(i >= 0 && i < ticket->vms);
	if (ticket->places[i].state == PLACE_USED)
		scheduler->ops->started(scheduler, &ticket->request, i);
}

void ticket_leave_place(struct ticket *ticket, int i)
{
	assert(i >= 0 && i < ticket->vms);
	ticket->places[i].domain = NULL;
	if (ticket->places[i].state == PLACE_LOST)
		return;
	assert(ticket->places[i].state == PLACE_USED);
	return_place(ticket, i);
	if (ticket->used == 0 && ticket->status == GC_TICKET_ACTIVE)
		set_status(ticket, GC_TICKET_RELEASED);
}

/* ---- the scheduler's answers -------------------------------------------- */

static void on_lease_over(struct loop_timer *timer)
{
	struct ticket *ticket = container_of(timer, struct ticket, lease);

	assert(ticket->status == GC_TICKET_GRANTED && ticket->used == 0);
	return_free_places(ticket);
	set_status(ticket, GC_TICKET_EXPIRED);
}

static void on_denied(struct scheduler *s, struct schedule_request *request,
		      struct err *err)
{
	struct ticket *ticket = container_of(request, struct ticket, request);

	set_status(ticket, GC_TICKET_DENIED);
	ticket->engine->events->ticket_answered(ticket, err);
}

static void on_granted(struct scheduler *s, struct schedule_request *request,
		       const struct placement *placements, int n)
{
	struct ticket *ticket = container_of(request, struct ticket, request);
	struct err err = { 0 };
	int i;

	assert(n > 0 && n == request->vms);
	assert(ticket->status == GC_TICKET_PENDING && !ticket->places);
	ticket->places = calloc((size_t)n, sizeof *ticket->places);
	if (!ticket->places) {
		for (i = 0; i < n; i++)
			s->ops->release(s, request, i);
		err_set(&err, -ENOMEM, "ticket");
		on_denied(s, request, &err);
		return;
	}
	for (i = 0; i < n; i++)
		ticket->places[i].placement = placements[i];
	ticket->vms = ticket->held = n;
	ticket->cpus = request->cpus;
	loop_timer_start(s->loop, &ticket->lease,
			 setting_ms("GRIDCENTRIC_TICKET_LEASE", LEASE_MS),
			 on_lease_over);
	set_status(ticket, GC_TICKET_GRANTED);
	ticket->engine->events->ticket_answered(ticket, &err);
}

/* Whether what is left is of no use: nothing, or, of a ticket that is still to
 * be used, fewer VMs than its owner asked for at least. */
static int is_broken(const struct ticket *ticket)
{
	return ticket->held == 0 || (ticket->status == GC_TICKET_GRANTED &&
				     ticket->held < ticket->request.minvms);
}

static void on_revoked(struct scheduler *s, struct schedule_request *request,
		       int i, const char *why)
{
	struct ticket *ticket = container_of(request, struct ticket, request);
	struct place *place;

	assert(i >= 0 && i < ticket->vms);
	place = &ticket->places[i];
	assert(place->state == PLACE_FREE || place->state == PLACE_USED);
	ticket->used -= place->state == PLACE_USED;
	ticket->held--;
	place->state = PLACE_LOST;
	if (!is_over(ticket) && is_broken(ticket)) {
		return_free_places(ticket);
		set_status(ticket, GC_TICKET_REVOKED);
	}
	ticket->engine->events->place_lost(ticket, i, why);
}

void ticket_init(struct engine *engine)
{
	engine->scheduler.granted = on_granted;
	engine->scheduler.denied = on_denied;
	engine->scheduler.revoked = on_revoked;
}

/* ---- the rest ----------------------------------------------------------- */

void ticket_forget_client(struct engine *engine, const struct client *client)
{
	struct ticket *ticket;
	struct err err;

	LIST_FOREACH(ticket, &engine->tickets, link) {
		if (ticket->owner != client)
			continue;
		ticket->owner = NULL;
		ticket->op = 0;
		if (ticket->status < GC_TICKET_ACTIVE)
			ticket_release(ticket, &err);
	}
}

void ticket_check(const struct ticket *ticket)
{
	int i, n[PLACE_LOST + 1] = { 0 };

	for (i = 0; i < ticket->vms; i++) {
		const struct place *place = &ticket->places[i];

		n[place->state]++;
		assert(!place->domain || place->state == PLACE_USED ||
		       place->state == PLACE_LOST);
	}
	assert(ticket->held == n[PLACE_FREE] + n[PLACE_USED]);
	assert(ticket->used == n[PLACE_USED]);
	assert(ticket->refs >= 0);
	assert(!ticket->lease.loop == (ticket->status != GC_TICKET_GRANTED));
	assert(!ticket->places || ticket->status != GC_TICKET_PENDING);
	assert(n[PLACE_FREE] == 0 || ticket->status == GC_TICKET_GRANTED);
	assert(!ticket->owner || ticket->owner->vmid == ticket->owner_vmid);
}
