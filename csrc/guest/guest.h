/*
 * guest - a process's side of the platform: opens it, turns its loop, talks
 * with the engine
 *
 *	gc_open(&gc, ...);
 *	op = guest_request_ticket(gc, 2, 1, 1, 1000, &err);
 *	for (;;) {
 *		guest_turn(gc, -1);
 *		while ((c = loop_next(&gc->loop)))
 *			...	c->kind tells which struct it is part of
 *	}
 *
 * The engine is started, or found, with the first operation. A fork happens
 * at the end of guest_turn(), never deeper: what runs then in the clone is
 * whoever called guest_turn(), and the first completion it sees is
 * GUEST_CLONE.
 */
#ifndef GC_GUEST_GUEST_H
#define GC_GUEST_GUEST_H

#include "guest/gc.h"

/*
 * Prepares gc; nothing is started. In a program that an engine started, its
 * channel is taken over from $GRIDCENTRIC_CHANNEL; in one of a VM the agent is
 * asked who it is, which may take some seconds while the VM boots
 * (guest/agent.h). role is ROLE_INSIDE or ROLE_OUTSIDE for others; name is
 * that of the service.
 */
int gc_open(struct gc *gc, enum wire_role role, const char *name,
	    struct err *err);

/* Tells the engine that this is a normal end: clones are ended gently within
 * grace_ms. Memory is the process's. Returns whether there is an engine that
 * was told, and whose end will be an event. */
int gc_bye(struct gc *gc, int grace_ms);

/*
 * Waits up to timeout_ms, acts on what came, forks where it is asked to.
 * Returns 0 or a negative code.
 */
int guest_turn(struct gc *gc, int timeout_ms);

/* Starts the engine where there is none; in a VM, connects to the agent where
 * that has ended. Returns 0 or a negative code. */
int guest_need_engine(struct gc *gc, struct err *err);

#endif
