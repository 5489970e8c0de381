/*
 * guest/agent - a program in a VM: the way to its agent, and what a clone of
 * the VM means for it
 *
 * Nothing is forked here. The whole VM is cloned, with this process in it, and
 * the agent reports that by BECOME. From then on everything goes as in a forked
 * clone, so that a program cannot tell the two apart.
 */
#ifndef GC_GUEST_AGENT_H
#define GC_GUEST_AGENT_H

#include "guest/gc.h"

/* The agent's socket: $GRIDCENTRIC_AGENT, else /run/gridcentric/agent if that
 * exists. NULL: this is no VM, or its agent is not running. */
const char *guest_agent_path(void);

/* Connects to the agent. Returns the descriptor or a negative code. */
int guest_agent_connect(struct err *err);

/* Keeps what BECOME says, for guest_agent_become(). */
void guest_agent_keep_become(struct gc *gc, struct wire_msg *msg);

/*
 * Makes a clone of this process if BECOME has come: closes host-only sources
 * and queues GUEST_CLONE. Not inside a turn of the loop.
 */
void guest_agent_become(struct gc *gc);

/*
 * This program scales itself: from now on it gets the events of its
 * descendants, as an owner does. Does nothing outside of a VM.
 */
void guest_agent_watch(struct gc *gc);

#endif
