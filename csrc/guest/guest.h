/*
 * guest - a process's side of the platform: opens it, turns its loop, talks
 * with the engine
 *
 *	guest_open(&gc, ...);
 *	op = guest_request_ticket(&gc, 2, 1, 1, 1000, &err);
 *	for (;;) {
 *		guest_turn(&gc, -1);
 *		while ((c = loop_next(&gc.loop)))
 *			...	c->kind tells which struct it is part of
 *	}
 *
 * The engine is started by the first operation. A fork happens at the end of
 * guest_turn(), never deeper: the clone goes on in the caller of guest_turn(),
 * and the first completion that it sees is GUEST_CLONE.
 */
#ifndef GC_GUEST_GUEST_H
#define GC_GUEST_GUEST_H

#include "guest/gc.h"

/*
 * Prepares gc; nothing is started. A program that an engine started takes its
 * channel over from $GRIDCENTRIC_CHANNEL. A program in a VM asks the agent for
 * its vmid, which may take some seconds while the VM boots (guest/agent.h).
 * role is that of any other process: ROLE_INSIDE or ROLE_OUTSIDE; name is that
 * of the service. Returns 0 or a negative code; nothing is held then.
 */
int guest_open(struct gc *gc, enum wire_role role, const char *name,
	       struct err *err);

/* Adds a step to those by which clones of this process are repaired. It must
 * live as long as gc. */
void guest_add_step(struct gc *gc, struct repair_step *step);

/* Tells the engine that this is a normal end: it ends all domains within
 * grace_ms, then itself. Returns whether there is an engine that was told,
 * whose end will be an event. gc stays as it is. */
int guest_end_all(struct gc *gc, int grace_ms);

/*
 * Waits up to timeout_ms (-1: without limit), handles what came, and forks
 * when it is asked to. Returns 0 or a negative code.
 */
int guest_turn(struct gc *gc, int timeout_ms);

/* Starts the engine if there is none; in a VM, connects to the agent if that
 * has ended. Returns 0 or a negative code. */
int guest_need_engine(struct gc *gc, struct err *err);

#endif
