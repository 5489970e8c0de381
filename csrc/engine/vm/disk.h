/*
 * disk - the disks of virtual machines: layers of qcow2 on an image
 *
 *	image <-- layer 1 <-- layer 4 <-- layer 5	the master writes to 5
 *		     ^           '------- layer 6	and a clone of it to 6
 *		     '------- layer 2			and an earlier one to 2
 *
 * A VM writes to its top layer, and reads what it did not write from the layers
 * below. The image is never written. A snapshot freezes the source's top layer:
 * the source and each clone go on in a new layer of their own. A layer that has
 * another one on top is never written again; it is freed with the last layer or
 * VM that uses it.
 *
 * A layer is a file without a name, in $GRIDCENTRIC_DISK_DIR or /var/tmp (or in
 * memory, if that fails), so nothing is left behind when a process is killed. It
 * holds what was written, in pieces of 2 KiB, and qcow2's tables.
 *
 * With each snapshot a VM's chain grows by a layer, if it has written anything
 * since the last one. A layer costs the VM's QEMU one or two descriptors and
 * some 0.4 MB, and 2 ms for a clone whose QEMU was not started ahead. So a
 * source with DISK_MERGE_AT layers or more merges them into its top layer, while
 * it runs and until its next snapshot. What was written exists twice then, while
 * others use the old layers. A VM that never has time to merge cannot be cloned
 * any more at DISK_MAX_LAYERS.
 */
#ifndef GC_ENGINE_VM_DISK_H
#define GC_ENGINE_VM_DISK_H

#include <stdint.h>

#include "base/err.h"

/* in a chain; QEMU reads recursively, and its stacks have a limit */
#define DISK_MAX_LAYERS 200
#define DISK_MERGE_AT	16

struct disk_layer {
	int fd;	       /* O_RDWR */
	int uses;      /* by VMs, snapshots, and layers on top, > 0 */
	int number;    /* unique in the engine, from 1 */
	int depth;     /* number of layers below */
	int64_t size;  /* of the disk, bytes */
	int64_t empty; /* of the file while nothing was written, bytes */
	struct disk_layer *below; /* NULL: the image */
};

/* Makes an empty layer on top of below, for a disk of size bytes, with one use.
 * NULL on error: -ENOSPC when storage is full. */
struct disk_layer *disk_new(struct disk_layer *below, int64_t size, int number,
			    struct err *err);

/* Adds a use. Returns layer; NULL is harmless. */
struct disk_layer *disk_use(struct disk_layer *layer);

/* Ends a use; the last one frees the layer. NULL is harmless. */
void disk_drop(struct disk_layer *layer);

/* The layer is frozen: where it lies in memory, nobody can write to it any
 * more, not even the QEMU that did. On a disk its owner is trusted with that. */
void disk_seal(struct disk_layer *layer);

/* The layer holds all that was below it, except the image: it is on top of that
 * now. */
void disk_is_whole(struct disk_layer *layer);

/* Whether anything was written to the layer. Only right once QEMU has written its
 * tables, as it does when it stops. */
int disk_is_written(const struct disk_layer *layer);

#endif
