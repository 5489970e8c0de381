/*
 * engine/vm/ram - the memory of virtual machines: files, which they map
 *
 * A VM's RAM is a file without a name (a memfd, or one in $GRIDCENTRIC_RAM_DIR
 * that is unlinked from the start), so that nothing stays behind, whoever is
 * killed. The master maps its file shared, clones map a copy of it privately
 * (ram_copy.h): what a clone writes is its own, what it only reads it shares.
 */
#ifndef GC_ENGINE_VM_RAM_H
#define GC_ENGINE_VM_RAM_H

#include <stdint.h>

#include "base/err.h"

/* A RAM file, of all who use it. */
struct ram {
	int fd;
	int uses;
	int64_t size; /* bytes */
	void *map;    /* of the whole, to read; NULL: not mapped yet */
};

/* A new RAM file of size bytes, all holes; used once. NULL on error. */
struct ram *ram_new(int64_t size, struct err *err);
struct ram *ram_use(struct ram *ram);
/* One use less; with the last it is gone. NULL is harmless. */
void ram_drop(struct ram *ram);

/* It is whole: whoever opens it from now on, under whatever name, can write to
 * no page but his own copy. Those who opened it before can, if they mapped it
 * so. */
void ram_seal(struct ram *ram);

/* Maps it here, if it is not mapped yet. Returns 0 or a negated errno. */
int ram_map(struct ram *ram);

/* Bytes that it takes now. */
int64_t ram_bytes(const struct ram *ram);

#endif
