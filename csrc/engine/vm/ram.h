/*
 * ram - the memory of virtual machines: files that QEMU maps
 *
 * A VM's RAM is a file without a name (a memfd, or one in $GRIDCENTRIC_RAM_DIR
 * that is unlinked from the start), so nothing is left behind when a process is
 * killed. The master maps its file shared; clones map a copy of it privately
 * (ram_copy.h): a clone owns the pages that it writes, and shares the rest.
 *
 * Every QEMU has its file open for writing. The size of a memfd is sealed when
 * it is made, and its content once clones may read it: a QEMU that was taken
 * over from inside cannot hurt other machines, or the engine, through it.
 */
#ifndef GC_ENGINE_VM_RAM_H
#define GC_ENGINE_VM_RAM_H

#include <stdint.h>

#include "base/err.h"

/* A RAM file, shared by its users. */
struct ram {
	int fd;
	int uses;     /* ram_drop() calls that are still to come, > 0 */
	int64_t size; /* bytes */
	void *map;    /* the whole file, to read; NULL: not mapped yet */
};

/* Makes a RAM file of size bytes, all holes, with one use. NULL on error. */
struct ram *ram_new(int64_t size, struct err *err);

/* Adds a use. Returns ram. */
struct ram *ram_use(struct ram *ram);

/* Ends a use; the last one frees the file. NULL is harmless. */
void ram_drop(struct ram *ram);

/*
 * Makes the content final: from now on no process can write to the file,
 * through whatever descriptor, and it can be mapped privately only. Shared
 * mappings that exist stay writable. Returns 0 or a negated errno.
 */
int ram_seal(struct ram *ram);

/* Maps the file here, unless it is mapped already. Returns 0 or a negated
 * errno. */
int ram_map(struct ram *ram);

/* Bytes of memory or storage that the file takes now. */
int64_t ram_bytes(const struct ram *ram);

#endif
