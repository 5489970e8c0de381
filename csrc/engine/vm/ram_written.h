/*
 * ram_written - asks the kernel which pages of a VM's RAM were written
 *
 * The kernel (Linux 6.7 and newer) knows that for mappings that
 * csrc/preload/qemu/ram_track.c has registered. Each question protects the pages
 * again, so an answer holds what was written since the one before.
 */
#ifndef GC_ENGINE_VM_RAM_WRITTEN_H
#define GC_ENGINE_VM_RAM_WRITTEN_H

#include <stdint.h>
#include <sys/types.h>

/* len bytes from offset at. */
struct ram_range {
	int64_t at, len;
};

/*
 * Fills ranges with up to max ranges that were written in a file that is mapped
 * at address, from offset *at to end. Moves *at behind the part that was looked
 * at: to end when nothing is left. pagemap is the descriptor of the process's.
 * Returns the number of ranges, or a negated errno: the kernel cannot tell;
 * -ESRCH: the process has ended.
 */
int ram_written(int pagemap, uint64_t address, int64_t end, int64_t *at,
		struct ram_range *ranges, int max);

#endif
