/*
 * guest/op - operations that are under way or answered, and events, as
 * completions of gc's loop
 */
#ifndef GC_GUEST_OP_H
#define GC_GUEST_OP_H

#include "guest/gc.h"

/* The kinds of completions; those of others start at GUEST_KINDS. */
enum guest_kind {
	/* struct guest_op: */
	GUEST_TICKET = 1, /* answer to request_ticket or ticket_info */
	GUEST_CLONED,	  /* answer to clone, in the master or clone */
	GUEST_DOMAINS,	  /* answer to list_domains */
	GUEST_DONE,	  /* answer to all others */
	/* struct guest_event: */
	GUEST_CLONE,	   /* this is a new clone now; vmid has changed */
	GUEST_DOMAIN,	   /* owner: a domain's state has changed */
	GUEST_COMMAND,	   /* owner: somebody types gcscale pause ... */
	GUEST_METRIC,	   /* owner: a number that a domain has told */
	GUEST_CONSOLE,	   /* owner: what a VM has written on its console */
	GUEST_ENGINE_LOST, /* the engine has ended */
	GUEST_KINDS = 100,
};

/* An operation under way, or answered. */
struct guest_op {
	struct completion done;
	int64_t number;
	enum guest_kind kind;
	struct err err;	     /* code 0: msg holds the answer's fields */
	int vmid;	     /* GUEST_CLONED: 0 in the master */
	uint8_t *frame;	     /* what msg points into */
	struct wire_msg msg; /* fields behind op, err and text */
	struct guest_op *next;
};

struct guest_event {
	struct completion done;
	uint8_t *frame;
	struct wire_msg msg; /* all its fields */
	struct err err;	     /* GUEST_ENGINE_LOST: why */
};

/*
 * A new operation, the last of those under way; its number is its name on the
 * channel. NULL: out of memory.
 */
struct guest_op *guest_op_new(struct gc *gc, enum guest_kind kind);

/* Forgets an operation that could not be sent. */
void guest_op_drop(struct gc *gc, int64_t number);

/* The engine's answer: queued, if the operation is still under way. */
void guest_op_answered(struct gc *gc, struct wire_msg *msg);

/* A message that is an event; err: GUEST_ENGINE_LOST, msg NULL. */
void guest_op_event(struct gc *gc, enum guest_kind kind, struct wire_msg *msg,
		    const struct err *err);

/* All that is under way fails, in order. */
void guest_op_fail_all(struct gc *gc, const struct err *why);

/* In a clone, before its loop is made anew: what was answered and not told to
 * the program yet is under way again, events of the master are gone. */
void guest_op_take_back(struct gc *gc);

/* In a clone: GUEST_CLONE is queued, operation `number` (0: none) ends with
 * the clone's vmid, the others with ECANCELED. */
void guest_op_become_clone(struct gc *gc, int64_t number);

/* Frees a popped completion of a guest kind. */
void guest_free(struct completion *completion);

#endif
