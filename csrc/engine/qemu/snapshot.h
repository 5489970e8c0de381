/*
 * engine/qemu/snapshot - takes the image of a VM: its RAM and its devices' state
 *
 *	COPYING    the RAM is copied while the VM runs, repeatedly while each
 *		   pass leaves less for the next
 *	PREPARING  the agent runs pre-clone and freezes all programs (PREPARE,
 *		   PREPARED); it neither reads nor writes until IDENTITY
 *	STOPPED    QEMU is stopped: threads here copy the rest of the RAM, QEMU
 *		   writes the state of its devices
 *	DONE       the VM runs again, clones may be made
 *
 * The state is what QEMU writes for Xen: all devices without the RAM, in one
 * command of 2 ms. A migration takes 12 ms, and for a clone it would write the
 * whole RAM again. The state is loaded like a migration; both sides are
 * configured not to expect QEMU's configuration section in it.
 *
 * Nothing is sent to the VM from PREPARED until it runs again: QEMU would write
 * it into the RAM that is being copied.
 */
#ifndef GC_ENGINE_QEMU_SNAPSHOT_H
#define GC_ENGINE_QEMU_SNAPSHOT_H

#include "engine/qemu/qemu.h"

enum qemu_snapshot_step { COPYING, PREPARING, STOPPED, DONE };

struct qemu_snapshot {
	struct image *image;	  /* NULL: nobody needs it any more */
	struct qemu_vm *source;	  /* NULL: it has gone */
	struct qemu_stock *stock; /* RAM and waiting VMs for clones */
	enum qemu_snapshot_step step;
	int passes; /* while COPYING: how often */
	int number;
	int state;		 /* file of the devices' state */
	struct disk_layer *disk; /* that clones stand on; NULL: the image */
	int saved, copied;	 /* while STOPPED: which part is done */
	int uses; /* by the image, the source, VMs that load it */
	struct err err;
	struct loop_timer limit; /* for the agent's answer */
	int64_t stopped_us;	 /* CLOCK_MONOTONIC */
	int pause_us;		 /* that QEMU stood still */
};

/* Begins it; image->done() comes later. Returns 0 or a negative code. */
int qemu_snapshot_begin(struct backend *b, struct image *image,
			struct err *err);

/* The agent has answered PREPARE. */
void qemu_snapshot_prepared(struct qemu_vm *vm, struct wire_msg *msg);

/* The source has ended. */
void qemu_snapshot_source_gone(struct qemu_snapshot *snapshot);

/* One use less; with the last it is gone. NULL is harmless. */
void qemu_snapshot_drop(struct qemu_snapshot *snapshot);

#endif
