/*
 * ram_written - asks the kernel which pages of a VM's RAM were written
 *
 * It knows where csrc/preload/qemu/ram_track.c has registered the mapping, from
 * Linux 6.7 on. Asking protects the pages anew, so that the next answer is
 * what was written since this one.
 */
#ifndef GC_ENGINE_VM_RAM_WRITTEN_H
#define GC_ENGINE_VM_RAM_WRITTEN_H

#include <stdint.h>
#include <sys/types.h>

/* So many bytes from offset at. */
struct ram_range {
	int64_t at, len;
};

/*
 * Fills ranges with up to max ranges of what was written to a file that is
 * mapped at address, from offset *at to end, and moves *at behind what was
 * looked at: end when that is all. pagemap is the process's. Returns how many,
 * or a negated errno: the kernel cannot tell; -ESRCH: the process has ended.
 */
int ram_written(int pagemap, uint64_t address, int64_t end, int64_t *at,
		struct ram_range *ranges, int max);

#endif
