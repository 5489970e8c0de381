/*
 * ticket - a reservation: who has it, what it holds, how far it is
 *
 *	PENDING --> GRANTED --> ACTIVE --> RELEASED
 *	   |           |-> EXPIRED (its lease ran out)   |-> REVOKED
 *	   |-> DENIED, CANCELLED
 *
 * Of the VMs that the scheduler granted, `used` belong to clones that are
 * made or live; the rest is given back by release, and each used one when its
 * clone has ended.
 */
#ifndef GC_ENGINE_CORE_TICKET_H
#define GC_ENGINE_CORE_TICKET_H

#include "engine/core/core.h"
#include "gridcentric/gc-guest.h"

struct ticket {
	struct engine *engine;
	char uuid[37];
	gc_ticket_status_t status;
	struct schedule_request request;
	struct client *owner; /* who asked, NULL when it has gone */
	int owner_vmid;
	int64_t op;		 /* its request, 0 once answered */
	struct loop_timer lease; /* runs while GRANTED */
	int used;		 /* VMs that clones have */
	int held;		 /* VMs not given back */
	int vms, cpus;		 /* as granted */
	struct placement *placements;
	struct ticket *next;
};

/*
 * Asks the scheduler. engine->ticket_answered is called later; or the request
 * is impossible and NULL is returned.
 */
struct ticket *ticket_request(struct client *owner, int64_t op, int maxcpus,
			      int minvms, int mincpuspervm, int timeout_ms,
			      struct err *err);

/* The owner's ticket of that name: NULL with GC_ENOTICKET or GC_ENOTOWNER. */
struct ticket *ticket_find(struct client *owner, const char *uuid,
			   struct err *err);

/* Takes all its VMs for clones: GRANTED becomes ACTIVE. 0, or GC_EUSED. */
int ticket_use(struct ticket *ticket, struct err *err);

/* Gives back what no clone uses. 0, or GC_EUSED where it is over already. */
int ticket_release(struct ticket *ticket, struct err *err);

/* A clone of it has ended, or was never made. */
void ticket_domain_ended(struct ticket *ticket);

/* A client has gone, and what it waited for or held unused with it. */
void ticket_forget_client(struct engine *engine, const struct client *client);

/* Sets the scheduler's callbacks. */
void ticket_init(struct engine *engine);

#endif
