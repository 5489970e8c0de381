/*
 * engine/vm/disk - the disks of virtual machines: layers of qcow2 on an image
 *
 *	image <-- layer 1 <-- layer 4 <-- layer 5	the master writes to 5
 *		     ^           '------- layer 6	and a clone of it to 6
 *		     '------- layer 2			and an earlier one to 2
 *
 * A VM writes to the layer on top of its own, and reads through it what it did
 * not write. The image is never written. A snapshot freezes the layer that its
 * source wrote to: the source goes on in a new one, each clone gets one, and
 * what has another upon it is written no more. A layer is gone with the last
 * who writes to it or stands on it.
 *
 * It is a file without a name, in $GRIDCENTRIC_DISK_DIR (or /var/tmp; where
 * that cannot be, in memory), so that nothing stays behind, whoever is killed.
 * It takes what was written, in pieces of 2 KiB, and the tables.
 *
 * So the chain of a VM grows by a layer with each snapshot of it, where it has
 * written anything since the one before; who writes nothing stands on the same
 * layers for ever. A layer costs its VM's QEMU a descriptor or two and
 * some 0.4 MB, and a clone whose QEMU was not started ahead 2 ms. Therefore a
 * source of DISK_MERGE_AT layers and more copies them into the one it writes
 * to, while it runs and until its next snapshot; what was written is there
 * twice then, as long as others stand on the old ones. One that has never time
 * enough for that cannot be cloned any more at DISK_MAX_LAYERS.
 */
#ifndef GC_ENGINE_VM_DISK_H
#define GC_ENGINE_VM_DISK_H

#include <stdint.h>

#include "base/err.h"

/* on each other; more than that may not fit on QEMU's stacks when it reads */
#define DISK_MAX_LAYERS 200
#define DISK_MERGE_AT	16

struct disk_layer {
	int fd;	       /* O_RDWR */
	int uses;      /* by VMs, snapshots, and layers upon it */
	int number;    /* the engine's, from 1 */
	int depth;     /* layers below it */
	int64_t size;  /* of the disk, bytes */
	int64_t empty; /* bytes of the file, as long as none writes */
	struct disk_layer *below; /* NULL: the image */
};

/* A new layer, empty, upon below, of a disk of size bytes; used once. NULL on
 * error: -ENOSPC when storage is full. */
struct disk_layer *disk_new(struct disk_layer *below, int64_t size, int number,
			    struct err *err);
struct disk_layer *disk_use(struct disk_layer *layer);
/* One use less; with the last it is gone. NULL is harmless. */
void disk_drop(struct disk_layer *layer);

/* The layer is frozen: where it lies in memory, nobody can write to it any
 * more, not even the QEMU that did. On a disk its owner is trusted with that. */
void disk_seal(struct disk_layer *layer);

/* It has all that was below it, but the image: stands on that. */
void disk_is_whole(struct disk_layer *layer);

/* Whether anything was written to it: QEMU has to have written out its
 * tables, as it does when it stops. */
int disk_is_written(const struct disk_layer *layer);

#endif
