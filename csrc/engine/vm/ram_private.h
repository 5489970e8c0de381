/*
 * ram_private - what a process has written to a file that it maps privately
 *
 * Such pages are in no file. The kernel names them (/proc/PID/pagemap) and
 * gives them (process_vm_readv()), to whoever may trace the process.
 */
#ifndef GC_ENGINE_VM_RAM_PRIVATE_H
#define GC_ENGINE_VM_RAM_PRIVATE_H

#include <stdint.h>
#include <sys/types.h>

#include "engine/vm/ram.h"

/* Opens /proc/PID/pagemap, and finds where pid has mapped the whole file. The
 * descriptor, or a negated errno. */
int ram_private_open(pid_t pid, const struct ram *ram, uint64_t *address);

/*
 * Calls write(owner, data, at, len) for all runs of private pages in the part
 * [at, end) of the mapping, which is at most RAM_PRIVATE_PART. Returns 0, a
 * negated errno, or what write() returned if that is not 0.
 */
int ram_private_read(pid_t pid, int pagemap, uint64_t address, int64_t at,
		     int64_t end,
		     int (*write)(void *owner, const void *data, int64_t at,
				  int64_t len),
		     void *owner);

#define RAM_PRIVATE_PART (4 * 1024 * 1024)

#endif
