/*
 * guest/agent - a program in a VM: the way to its agent, and what a clone of
 * the VM means for it
 *
 * Nothing is forked here: the whole VM was cloned, this process in it, and the
 * agent tells so by BECOME. What is said and done after that is as in a forked
 * clone, so that a program cannot tell them apart.
 */
#ifndef GC_GUEST_AGENT_H
#define GC_GUEST_AGENT_H

#include "guest/gc.h"

/* The agent's socket: $GRIDCENTRIC_AGENT, else /run/gridcentric/agent where
 * that is there; NULL: this is no VM, or its agent is not running. */
const char *guest_agent_path(void);

/* Connects. Returns the descriptor, or a negative code. */
int guest_agent_connect(struct err *err);

/* Keeps what BECOME says. */
void guest_agent_note(struct gc *gc, struct wire_msg *msg);

/*
 * Outside of a turn of the loop: where BECOME has come, makes a clone of this
 * process: host-only sources are closed, and GUEST_CLONE is queued.
 */
void guest_agent_become(struct gc *gc);

/*
 * This program scales itself, and is told of its descendants from now on as an
 * owner is. Nothing where it is no program of a VM.
 */
void guest_agent_watch(struct gc *gc);

#endif
