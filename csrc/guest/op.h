/*
 * guest/op - operations that are under way or answered, and events: both are
 * completions of gc's loop
 */
#ifndef GC_GUEST_OP_H
#define GC_GUEST_OP_H

#include "guest/gc.h"

/* The kinds of completions; those of other modules start at GUEST_KINDS. */
enum guest_kind {
	/* struct guest_op: */
	GUEST_TICKET = 1, /* answer to request_ticket or ticket_info */
	GUEST_CLONED,	  /* answer to clone, in the master or clone */
	GUEST_DOMAINS,	  /* answer to list_domains */
	GUEST_DONE,	  /* answer to all others */
	/* struct guest_event: */
	GUEST_CLONE,	   /* this is a new clone now; vmid has changed */
	GUEST_DOMAIN,	   /* owner: a domain's state has changed */
	GUEST_COMMAND,	   /* owner: somebody typed gcscale pause ... */
	GUEST_METRIC,	   /* owner: a number that a domain reports */
	GUEST_CONSOLE,	   /* owner: bytes that a VM wrote on its console */
	GUEST_ENGINE_LOST, /* the engine has ended */
	GUEST_KINDS = 100,
};

/* An operation under way, or answered. */
struct guest_op {
	struct completion done;
	int64_t number;
	enum guest_kind kind;
	struct err err;		    /* code 0: msg holds the answer's fields */
	int vmid;		    /* GUEST_CLONED: 0 in the master */
	uint8_t *frame;		    /* what msg points into */
	struct wire_msg msg;	    /* fields behind op, err and text */
	TAILQ_ENTRY(guest_op) link; /* in gc->ops */
};

struct guest_event {
	struct completion done;
	uint8_t *frame;
	struct wire_msg msg; /* all its fields */
	struct err err;	     /* GUEST_ENGINE_LOST: why */
};

/*
 * Begins an operation, the last of those under way. Its number identifies it
 * on the channel. NULL: out of memory.
 */
struct guest_op *guest_op_new(struct gc *gc, enum guest_kind kind);

/* Forgets an operation that could not be sent. */
void guest_op_drop(struct gc *gc, int64_t number);

/* Queues the engine's answer, if the operation is still under way. */
void guest_op_answered(struct gc *gc, struct wire_msg *msg);

/* Queues an event. msg: its message, NULL for none; err: of GUEST_ENGINE_LOST
 * only, else NULL. */
void guest_op_event(struct gc *gc, enum guest_kind kind, struct wire_msg *msg,
		    const struct err *err);

/* Fails all operations under way, in order. */
void guest_op_fail_all(struct gc *gc, const struct err *err);

/* In a clone, before its loop is made anew: answers that the program has not
 * seen yet are taken back, their operations are under way again. Events of the
 * master are dropped. */
void guest_op_take_back(struct gc *gc);

/* In a clone: queues GUEST_CLONE; completes operation `number` (0: none) with
 * the clone's vmid, and all others with ECANCELED. */
void guest_op_become_clone(struct gc *gc, int64_t number);

/* Frees a popped completion of a guest kind. */
void guest_free(struct completion *completion);

#endif
