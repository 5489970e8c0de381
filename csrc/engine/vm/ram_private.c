/* ram_private - see ram_private.h */
#include "engine/vm/ram_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096

/* The address at which pid has mapped the whole file; 0: nowhere. */
static uint64_t find_mapping(pid_t pid, const struct ram *ram)
{
	char path[32], line[512];
	uint64_t start, end, found = 0;
	unsigned long inode;
	struct stat st;
	FILE *maps;

	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	if (!maps)
		return 0;
	while (fstat(ram->fd, &st) == 0 && !found &&
	       fgets(line, sizeof line, maps))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %lu",
			   &start, &end, &inode) == 3 &&
		    inode == st.st_ino && end - start == (uint64_t)ram->size)
			found = start;
	fclose(maps);
	return found;
}

int ram_private_open(pid_t pid, const struct ram *ram, uint64_t *address)
{
	char path[32];
	int fd;

	*address = find_mapping(pid, ram);
	if (!*address)
		return -ESRCH;
	snprintf(path, sizeof path, "/proc/%d/pagemap", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Whether a page exists, in memory or swap, and belongs to no file. The bits of
 * pagemap: see the kernel's Documentation/admin-guide/mm/pagemap.rst */
static int is_private(uint64_t entry)
{
	int is_present = entry >> 63 & 1, is_swapped = entry >> 62 & 1;
	int is_file = entry >> 61 & 1;

	return (is_present || is_swapped) && !is_file;
}

static int read_run(pid_t pid, uint64_t from, char *buffer, int64_t len)
{
	struct iovec to = { buffer, (size_t)len };
	struct iovec there = { (void *)(uintptr_t)from, (size_t)len };
	ssize_t n = process_vm_readv(pid, &to, 1, &there, 1, 0);

	if (n < 0)
		return -errno;
	return n == len ? 0 : -EFAULT;
}

int ram_private_read(pid_t pid, int pagemap, uint64_t address, int64_t at,
		     int64_t end,
		     int (*write)(void *owner, const void *data, int64_t at,
				  int64_t len),
		     void *owner)
{
	uint64_t entries[RAM_PRIVATE_PART / PAGE];
	size_t n = (size_t)(end - at) / PAGE, i = 0, from;
	size_t size = n * sizeof entries[0];
	off_t where =
		(off_t)((address + (uint64_t)at) / PAGE * sizeof entries[0]);
	char *buffer = malloc(RAM_PRIVATE_PART);
	int code = buffer ? 0 : -ENOMEM;
	ssize_t got = 0;

	assert(at % PAGE == 0 && end - at <= RAM_PRIVATE_PART);
	if (!code && (got = pread(pagemap, entries, size, where)) < 0)
		code = -errno;
	else if (!code && got != (ssize_t)size)
		code = -ESRCH; /* it has ended */
	while (i < n && !code) {
		int64_t start, len;

		for (from = i; i < n && is_private(entries[i]); i++)
			;
		start = at + (int64_t)from * PAGE;
		len = (int64_t)(i - from) * PAGE;
		if (len)
			code = read_run(pid, address + (uint64_t)start, buffer,
					len);
		if (len && !code)
			code = write(owner, buffer, start, len);
		i += !len;
	}
	free(buffer);
	return code;
}
