/*
 * ready - starts the program of the VM, and tells the engine when it is ready
 *
 * Ready means that the program's port answers: something in the VM listens
 * there, where others reach it. The agent looks, since a connection from
 * outside proves nothing (QEMU's own network accepts it).
 *
 *	first VM	after the program was started; without an end
 *	clone		before its programs go on, from what is known of the
 *			source. If nobody listens then, for READY_CLONE_MS:
 *			post-clone may have restarted the service
 *
 * A VM without a port is ready when its program listens anywhere, or after
 * READY_PORTLESS_MS: it may be one that does not listen. If it listens on
 * loopback only, READY comes with a note.
 *
 * A VM that scales itself has a proxy of its own at the port, which its clones
 * do not have: they are ready as they are.
 */
#ifndef GC_AGENT_READY_H
#define GC_AGENT_READY_H

#include "agent/agent.h"

#define READY_LOOK_MS	   5  /* how often a program is looked at */
#define READY_LOOK_SLOW_MS 50 /* the same, after READY_SLOW_MS */
#define READY_SLOW_MS	   1000
#define READY_LOOPBACK_MS  1000 /* for a listener on loopback to be replaced */
#define READY_PORTLESS_MS  3000 /* for a program without a port to listen */
#define READY_CLONE_MS	   5000 /* for a clone's program to listen */

/* Starts the program, if the agent has one, and waits for its port. */
void ready_start_program(struct agent *agent);

/* Whether the port of the VM's program answers, if it has one. */
int ready_is_listening(const struct agent *agent);

/* Waits for the port of a clone's program. What post-clone had to say (note,
 * copied) goes with READY. */
void ready_wait_clone(struct agent *agent, const struct err *note);

/*
 * Tells the engine READY. err NULL: all is well; err->code 0: ready, and
 * err->text is to be told; negative: it will not be ready, for that reason.
 * While the port is closed this waits for ready_tell_again().
 */
void ready_tell(struct agent *agent, const struct err *err);

/* The port is open again: tells what could not be told before. */
void ready_tell_again(struct agent *agent);

#endif
