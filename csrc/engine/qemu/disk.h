/*
 * engine/qemu/disk - what QEMU is told of a VM's disk
 *
 *	master	launched, stopped --> qemu_disk_boot() --> runs
 *	source	qemu_disk_prepare(), stops, qemu_disk_freeze(), goes on:
 *		qemu_disk_resumed()
 *	clone	launched --> qemu_disk_expect() while it waits
 *			 --> qemu_disk_clone() --> state loaded --> runs
 *
 * A VM whose image is a disk is launched with a virtio disk that has nothing
 * in it (node "empty"), so that its hardware is the same whatever it will
 * stand on; its layers come over QMP: a set of descriptors for each, and nodes
 * "image", "layer-1" and so on. What QEMU does not take fails the VM, or the
 * snapshot.
 *
 * Only one VM ever has a layer open to write, and those that read it do so
 * when it is frozen: QEMU's locks are off, but on the image.
 *
 * When storage is full the guest is told so, as by a broken disk: it sees an
 * I/O error, and goes on. By QEMU's default it would be stopped, and nobody is
 * there to wake it.
 */
#ifndef GC_ENGINE_QEMU_DISK_H
#define GC_ENGINE_QEMU_DISK_H

#include "engine/vm/disk.h"
#include "engine/vm/qmp.h"

struct qemu_vm;

struct qemu_disk {
	struct disk_layer *top;	  /* it writes to; NULL: none */
	struct disk_layer *next;  /* open in QEMU, for when top is frozen */
	struct disk_layer *known; /* highest one open there to read */
	int has_image;		  /* QEMU has it open, too */
	int frozen_set;		  /* of a layer that is not needed any more */
	int merging;		  /* what is below top is copied into it */
	struct err err;		  /* why there is no next */
};

/* All of this is harmless for a VM whose image is no disk; and nothing waits:
 * QMP commands are queued. */

/* A new master: gives it its disk, and lets it run. Returns 0 or a negative
 * code. */
int qemu_disk_boot(struct qemu_vm *vm, struct err *err);

/* A VM waits to be a clone of source: has it open what is frozen by now. */
void qemu_disk_expect(struct qemu_vm *vm, const struct qemu_vm *source);

/* A snapshot of vm is to come: has it open a layer to go on with. */
void qemu_disk_prepare(struct qemu_vm *vm);

/*
 * It is stopped: freezes what it wrote. Returns 1: done (of owner vm) is told
 * whether QEMU did; 0: it wrote nothing; or a negative code.
 */
int qemu_disk_freeze(struct qemu_vm *vm, qmp_done *done, struct err *err);

/* QEMU did: it writes to the next layer. */
void qemu_disk_froze(struct qemu_vm *vm);

/* It goes on: has it merge its layers, where they are many. */
void qemu_disk_resumed(struct qemu_vm *vm);

/* An event of its QEMU. */
void qemu_disk_event(struct qemu_vm *vm, const char *name, json_t *data);

/* What clones of a snapshot that was taken now stand on; NULL: the image. */
static inline struct disk_layer *qemu_disk_frozen(const struct qemu_disk *disk)
{
	return disk->top ? disk->top->below : NULL;
}

/* A clone: a layer of its own, upon frozen. Returns 0 or a negative code. */
int qemu_disk_clone(struct qemu_vm *vm, struct disk_layer *frozen,
		    struct err *err);

/* Its QEMU has ended. */
void qemu_disk_free(struct qemu_disk *disk);

#endif
