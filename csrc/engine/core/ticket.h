/*
 * ticket - a reservation: its owner, its places, its status
 *
 *	PENDING --> GRANTED --> ACTIVE --> RELEASED
 *	   |           |           '-----> REVOKED
 *	   |           |--> EXPIRED (nobody used it in time)
 *	   |           |--> RELEASED
 *	   |           '--> REVOKED
 *	   '--> DENIED, CANCELLED
 *
 * A granted ticket has one place for each VM. A place is held until it is given
 * back or lost, and used while it belongs to a clone that is being made or
 * lives. release() gives back what no clone uses; a used place is given back
 * when its clone has ended.
 */
#ifndef GC_ENGINE_CORE_TICKET_H
#define GC_ENGINE_CORE_TICKET_H

#include "engine/core/core.h"
#include "gridcentric/gc-guest.h"

enum place_state {
	PLACE_FREE,	/* held, no clone has it */
	PLACE_USED,	/* held, it belongs to a clone */
	PLACE_RETURNED, /* given back to the scheduler */
	PLACE_LOST,	/* taken away by the scheduler */
};

/* One placement of a grant. */
struct place {
	struct placement placement;
	enum place_state state;
	struct domain *domain; /* the clone there, NULL: none (yet) */
};

struct ticket {
	struct engine *engine;
	char uuid[37];
	gc_ticket_status_t status;
	struct schedule_request request;
	struct client *owner; /* who asked; NULL when it has gone */
	int owner_vmid;
	int64_t op;		 /* of its request, 0 once answered */
	struct loop_timer lease; /* runs while GRANTED */
	int vms, cpus;		 /* as granted */
	int held, used;		 /* places that are FREE or USED; USED */
	int refs;		 /* clone operations and domains that name it */
	struct place *places;	 /* one for each of the vms */
	LIST_ENTRY(ticket) link; /* engine->tickets, newest first */
};

/*
 * Asks the scheduler. The answer comes later, as events->ticket_answered; NULL
 * means that the request is impossible, and err says why.
 */
struct ticket *ticket_request(struct client *owner, int64_t op, int maxcpus,
			      int minvms, int mincpuspervm, int timeout_ms,
			      struct err *err);

/* The owner's ticket of that name, or NULL with GC_ENOTICKET or GC_ENOTOWNER. */
struct ticket *ticket_find(struct client *owner, const char *uuid,
			   struct err *err);

/* GRANTED becomes ACTIVE: all its places are used. Returns 0 or GC_EUSED. */
int ticket_use(struct ticket *ticket, struct err *err);

/* Gives back what no clone uses. Returns 0, or GC_EUSED where the ticket is
 * over already. */
int ticket_release(struct ticket *ticket, struct err *err);

/* The clone at this place has ended, or will not be made: the place goes back
 * to the scheduler, unless it was lost. */
void ticket_leave_place(struct ticket *ticket, int place);

/* The clone at a place is ready. */
void ticket_start_place(struct ticket *ticket, int place);

/* Until each ref is dropped, the ticket stays in memory. */
void ticket_ref(struct ticket *ticket);
void ticket_unref(struct ticket *ticket);

/* A client has gone: what it waited for is cancelled, what it held unused goes
 * back. */
void ticket_forget_client(struct engine *engine, const struct client *client);

/* Sets the scheduler's callbacks. */
void ticket_init(struct engine *engine);

/* Asserts what must hold for the ticket between two turns. */
void ticket_check(const struct ticket *ticket);

#endif
