/*
 * engine/qemu/clone - a VM that goes on from another's image, as a domain
 *
 *	qemu_clone_begin()	spawn(): a waiting VM, or a new one, gets the
 *	   |			domain, whose channel is its agent's port
 *	load()			QEMU forwards the port and loads the state
 *	   |			(on the way it answers: hand its process over)
 *	qemu_clone_event()	loaded: the VM runs, IDENTITY for the agent
 *	   |
 *	READY			by the agent: core/clone.h
 *	   |
 *	qemu_vm_plug()		admit(): its frames pass, and it is ready
 *
 * Until its agent has made another machine of it, a clone has the master's
 * addresses and connections: no frame may leave it before. The switch and the
 * bridge see to that. QEMU's link switch is no help: the guest would take up to a
 * second to bring a card up again. QEMU's user network is the clone's own and
 * knows of no connection of the master's.
 */
#ifndef GC_ENGINE_QEMU_CLONE_H
#define GC_ENGINE_QEMU_CLONE_H

#include "engine/qemu/qemu.h"

/* Begins the clone. Returns 0 or a negative code. */
int qemu_clone_begin(struct backend *b, struct image *image,
		     struct domain *domain, struct err *err);

/* An event of a VM that loads its state. */
void qemu_clone_event(struct qemu_vm *vm, const char *name, json_t *data);

#endif
