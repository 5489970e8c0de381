/* engine/vm/ram - see engine/vm/ram.h */
#include "engine/vm/ram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int open_file(void)
{
	const char *dir = getenv("GRIDCENTRIC_RAM_DIR");
	int fd = dir && *dir ? open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
			     : memfd_create("gridcentric-ram",
					    MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return fd < 0 ? -errno : fd;
}

/* Whether size bytes are left where it lies, if that can be told: nobody who
 * maps a file is told in time that the storage is full. A memfd has no bound
 * but the machine's memory, which tickets see to. */
static int has_room(int fd, int64_t size)
{
	struct statvfs st;

	return !getenv("GRIDCENTRIC_RAM_DIR") || fstatvfs(fd, &st) < 0 ||
	       (int64_t)st.f_bavail * (int64_t)st.f_frsize >= size;
}

struct ram *ram_new(int64_t size, struct err *err)
{
	struct ram *ram = calloc(1, sizeof *ram);
	int code = -ENOMEM;

	if (!ram)
		goto out;
	ram->size = size;
	ram->uses = 1;
	ram->fd = open_file();
	code = ram->fd < 0 ? ram->fd : 0;
	if (code)
		goto out;
	/* QEMU, under another user perhaps, opens it by the descriptor */
	if (!has_room(ram->fd, size))
		code = -ENOSPC;
	else if (fchmod(ram->fd, 0666) < 0 || ftruncate(ram->fd, size) < 0)
		code = -errno;
out:
	if (!code)
		return ram;
	err_set(err, code, "memory of the VM");
	if (ram && ram->fd >= 0)
		close(ram->fd);
	free(ram);
	return NULL;
}

struct ram *ram_use(struct ram *ram)
{
	ram->uses++;
	return ram;
}

void ram_seal(struct ram *ram)
{
	/* of use for memfds only */
	fcntl(ram->fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE);
}

void ram_drop(struct ram *ram)
{
	if (!ram || --ram->uses > 0)
		return;
	if (ram->map)
		munmap(ram->map, (size_t)ram->size);
	close(ram->fd);
	free(ram);
}

int64_t ram_bytes(const struct ram *ram)
{
	struct stat st;

	return fstat(ram->fd, &st) < 0 ? 0 : (int64_t)st.st_blocks * 512;
}

int ram_map(struct ram *ram)
{
	void *p;

	if (ram->map)
		return 0;
	p = mmap(NULL, (size_t)ram->size, PROT_READ, MAP_SHARED, ram->fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	ram->map = p;
	return 0;
}
