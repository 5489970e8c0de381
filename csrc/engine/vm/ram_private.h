/*
 * ram_private - reads the pages that a process has written to a private mapping
 *
 * These pages are in no file. The kernel names them (/proc/PID/pagemap) and
 * hands them out (process_vm_readv()) to a process that may trace that one.
 */
#ifndef GC_ENGINE_VM_RAM_PRIVATE_H
#define GC_ENGINE_VM_RAM_PRIVATE_H

#include <stdint.h>
#include <sys/types.h>

#include "engine/vm/ram.h"

/* Opens /proc/PID/pagemap, and stores where pid has mapped the whole file.
 * Returns the descriptor or a negated errno; -ESRCH: it is not mapped. */
int ram_private_open(pid_t pid, const struct ram *ram, uint64_t *address);

/*
 * Calls write(owner, data, at, len) for each run of private pages in the part
 * [at, end) of the mapping, which is at most RAM_PRIVATE_PART bytes. Returns 0,
 * a negated errno, or the first result of write() that is not 0.
 */
int ram_private_read(pid_t pid, int pagemap, uint64_t address, int64_t at,
		     int64_t end,
		     int (*write)(void *owner, const void *data, int64_t at,
				  int64_t len),
		     void *owner);

#define RAM_PRIVATE_PART (4 * 1024 * 1024)

#endif
