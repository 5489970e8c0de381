/*
 * engine/qemu/clone - a VM that goes on from another's image, as a domain of its own
 *
 *	port forwarded --> state loaded --> IDENTITY, running -->
 *	READY by the agent --> cards plugged in --> ready
 *
 * Until its agent has made another machine of it, it has the master's
 * addresses and connections: no frame leaves it before. That is seen to on
 * this side, at the switch and the bridge: a card that lost its link would
 * take the guest up to a second to get it back. QEMU's user network is the
 * clone's own, and knows of no connection of the master's.
 */
#ifndef GC_ENGINE_QEMU_CLONE_H
#define GC_ENGINE_QEMU_CLONE_H

#include "engine/qemu/qemu.h"

/* Begins; b->spawned() and b->said() come later. Returns 0 or a negative
 * code. */
int qemu_clone_begin(struct backend *b, struct image *image,
		     struct domain *domain, struct err *err);

/* An event of a VM that loads its state. */
void qemu_clone_event(struct qemu_vm *vm, const char *name, json_t *data);

/* The agent of a clone has said READY, or why not: b->said() is told. */
void qemu_clone_said(struct qemu_vm *vm, const struct err *err);

#endif
