/*
 * leave - ends the service of a VM whose program the agent did not start
 *
 * A service with a unit of its own is found by its port: SIGTERM goes to the
 * processes that listen there, as the engine sends it to a process that is a
 * clone. When they have ended, nothing in the VM needs more time: its memory
 * and disk are thrown away. Without such a process that is so at once.
 *
 * Init is left out: it may hold the socket for its service.
 */
#ifndef GC_AGENT_LEAVE_H
#define GC_AGENT_LEAVE_H

#include <sys/types.h>

#include "base/loop.h"

#define LEAVE_MAX 64 /* processes */

struct leave;

/* A process whose end is waited for. */
struct leave_process {
	struct loop_source pidfd;
	struct leave *leave;
};

struct leave {
	struct leave_process processes[LEAVE_MAX]; /* they got SIGTERM */
	int n;
	int nleft;			   /* of these, that have not ended */
	struct loop_timer nobody;	   /* fires when there was no process */
	void (*done)(struct leave *leave); /* NULL: not begun */
};

/* Begins, unless it has begun; leave: zeroed. port 0: none. `done` is called
 * once, from the loop, when all have ended. */
void leave_start(struct leave *leave, struct loop *loop, int port,
		 void (*done)(struct leave *));

/* Forgets it. Harmless when it has not begun. */
void leave_stop(struct leave *leave);

#endif
