/* ticket - see ticket.h */
#include "engine/core/ticket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/setting.h"
#include "engine/core/client.h"

#define LEASE_MS       30000 /* a granted ticket not used by then is gone */
#define MAX_TIMEOUT_MS (24 * 3600 * 1000)
#define MAX_PER_GUEST  64    /* the same of a VM, which is not trusted */
#define MAX_PER_CLIENT 10000 /* tickets not over: a loop gone wild */
#define KEEP_OVER      1000  /* tickets that are over, for ticket_info */

static int is_over(const struct ticket *ticket)
{
	return ticket->status >= GC_TICKET_RELEASED;
}

static void changed(struct ticket *ticket, gc_ticket_status_t status)
{
	ticket->status = status;
	if (status != GC_TICKET_GRANTED)
		loop_timer_stop(&ticket->lease);
	ledger_ticket(ticket->engine->ledger, ticket->uuid,
		      gc_ticket_status_string(status), ticket->cpus,
		      ticket->vms, ticket->request.mincpuspervm,
		      ticket->owner_vmid);
	ticket->engine->ticket_changed(ticket);
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
	loop_timer_stop(&ticket->lease);
	free(ticket->placements);
	free(ticket);
}

/* Forgets the oldest of those that are over, beyond KEEP_OVER. */
static void trim(struct engine *engine)
{
	struct ticket **at = &engine->tickets, *ticket;
	int over = 0;

	while ((ticket = *at)) {
		if (is_over(ticket) && !ticket->used && ++over > KEEP_OVER) {
			*at = ticket->next;
			free_ticket(ticket);
		} else {
			at = &ticket->next;
		}
	}
}

static int check(int maxcpus, int minvms, int mincpuspervm, int timeout_ms,
		 struct err *err)
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

	for (ticket = owner->engine->tickets; ticket; ticket = ticket->next)
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

	if (check(maxcpus, minvms, mincpuspervm, timeout_ms, err))
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
	ticket->next = engine->tickets;
	engine->tickets = ticket;
	changed(ticket, GC_TICKET_PENDING);
	trim(engine);
	return ticket;
}

struct ticket *ticket_find(struct client *owner, const char *uuid,
			   struct err *err)
{
	struct ticket *ticket = owner->engine->tickets;

	while (ticket && strcmp(ticket->uuid, uuid) != 0)
		ticket = ticket->next;
	if (!ticket)
		err_say(err, -GC_ENOTICKET, "no such ticket: %.40s", uuid);
	else if (ticket->owner != owner)
		err_say(err, -GC_ENOTOWNER,
			"ticket %s belongs to another domain", uuid);
	else
		return ticket;
	return NULL;
}

/* Gives n of its VMs back to the scheduler. */
static void give_back(struct ticket *ticket, int n)
{
	struct scheduler *scheduler = &ticket->engine->scheduler;

	if (n > ticket->held)
		n = ticket->held;
	if (n > 0)
		scheduler->ops->release(scheduler, &ticket->request, n);
	ticket->held -= n;
}

int ticket_use(struct ticket *ticket, struct err *err)
{
	if (ticket->status != GC_TICKET_GRANTED)
		return err_say(err, -GC_EUSED, "ticket %s is %s, not granted",
			       ticket->uuid,
			       gc_ticket_status_string(ticket->status));
	ticket->used = ticket->vms;
	changed(ticket, GC_TICKET_ACTIVE);
	return 0;
}

int ticket_release(struct ticket *ticket, struct err *err)
{
	struct scheduler *scheduler = &ticket->engine->scheduler;

	if (is_over(ticket))
		return err_say(err, -GC_EUSED, "ticket %s is %s already",
			       ticket->uuid,
			       gc_ticket_status_string(ticket->status));
	if (ticket->status == GC_TICKET_PENDING)
		scheduler->ops->cancel(scheduler, &ticket->request);
	give_back(ticket, ticket->held - ticket->used);
	changed(ticket, ticket->status == GC_TICKET_PENDING
				? GC_TICKET_CANCELLED
				: GC_TICKET_RELEASED);
	return 0;
}

void ticket_domain_ended(struct ticket *ticket)
{
	ticket->used--;
	give_back(ticket, 1);
	if (ticket->used == 0 && ticket->status == GC_TICKET_ACTIVE)
		changed(ticket, GC_TICKET_RELEASED);
}

static void on_lease_over(struct loop_timer *timer)
{
	struct ticket *ticket = container_of(timer, struct ticket, lease);

	give_back(ticket, ticket->held);
	changed(ticket, GC_TICKET_EXPIRED);
}

static int lease_ms(void)
{
	return setting_ms("GRIDCENTRIC_TICKET_LEASE", LEASE_MS);
}

static void on_granted(struct scheduler *s, struct schedule_request *request,
		       const struct placement *placements, int n)
{
	struct ticket *ticket = container_of(request, struct ticket, request);
	struct err none = { 0 };

	ticket->vms = ticket->held = request->vms;
	ticket->cpus = request->cpus;
	ticket->placements = calloc((size_t)n, sizeof *placements);
	if (ticket->placements)
		memcpy(ticket->placements, placements,
		       (size_t)n * sizeof *placements);
	loop_timer_start(s->loop, &ticket->lease, lease_ms(), on_lease_over);
	changed(ticket, GC_TICKET_GRANTED);
	ticket->engine->ticket_answered(ticket, &none);
}

static void on_denied(struct scheduler *s, struct schedule_request *request,
		      struct err *err)
{
	struct ticket *ticket = container_of(request, struct ticket, request);

	changed(ticket, GC_TICKET_DENIED);
	ticket->engine->ticket_answered(ticket, err);
}

static void on_revoked(struct scheduler *s, struct schedule_request *request,
		       int vms, const char *why)
{
	struct ticket *ticket = container_of(request, struct ticket, request);

	ticket->held -= vms < ticket->held ? vms : ticket->held;
	ledger_event(ticket->engine->ledger, "ticket revoked", -1, why, "");
	changed(ticket, GC_TICKET_REVOKED);
}

void ticket_init(struct engine *engine)
{
	engine->scheduler.granted = on_granted;
	engine->scheduler.denied = on_denied;
	engine->scheduler.revoked = on_revoked;
}

void ticket_forget_client(struct engine *engine, const struct client *client)
{
	struct ticket *ticket;
	struct err err;

	for (ticket = engine->tickets; ticket; ticket = ticket->next) {
		if (ticket->owner != client)
			continue;
		ticket->owner = NULL;
		ticket->op = 0;
		if (ticket->status < GC_TICKET_ACTIVE)
			ticket_release(ticket, &err);
	}
}
