/* ram_written - see ram_written.h */
#include "engine/vm/ram_written.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* From linux/fs.h of Linux 6.7, which Debian 12's headers do not have; the
 * kernel's Documentation/admin-guide/mm/pagemap.rst tells what they mean. */
struct region {
	uint64_t start, end, categories;
};

struct scan {
	uint64_t size, flags, start, end, walk_end;
	uint64_t regions, nregions, max_pages;
	uint64_t inverted, all_of, any_of, wanted;
};

#define SCAN		 _IOWR('f', 16, struct scan)
#define SCAN_PROTECT	 1 /* what is found */
#define SCAN_CHECK	 2 /* fails where nothing is registered */
#define CATEGORY_WRITTEN 2
#define REGIONS		 512
#define PAGE		 4096

int ram_written(int pagemap, uint64_t address, int64_t end, int64_t *at,
		struct ram_range *ranges, int max)
{
	struct region regions[REGIONS];
	struct scan scan = {
		.size = sizeof scan,
		.flags = SCAN_PROTECT | SCAN_CHECK,
		.start = address + (uint64_t)*at,
		.end = address + (uint64_t)end,
		.regions = (uintptr_t)regions,
		.nregions = (uint64_t)(max < REGIONS ? max : REGIONS),
		.all_of = CATEGORY_WRITTEN,
		.wanted = CATEGORY_WRITTEN,
	};
	int i, n = ioctl(pagemap, SCAN, &scan);
	uint64_t entry;

	if (n < 0)
		return -errno;
	/* for a process that has ended, the answer may be that nothing was
	 * written */
	if (pread(pagemap, &entry, sizeof entry,
		  (off_t)(address / PAGE * sizeof entry)) != sizeof entry)
		return -ESRCH;
	for (i = 0; i < n; i++) {
		ranges[i].at = (int64_t)(regions[i].start - address);
		ranges[i].len = (int64_t)(regions[i].end - regions[i].start);
	}
	*at = (int64_t)(scan.walk_end - address);
	return n;
}
