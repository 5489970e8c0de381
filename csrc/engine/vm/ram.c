/* ram - see ram.h */
#include "engine/vm/ram.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A new file without a name. Returns the descriptor or a negated errno. */
static int open_file(void)
{
	const char *dir = getenv("GRIDCENTRIC_RAM_DIR");
	int fd = dir && *dir ? open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
			     : memfd_create("gridcentric-ram",
					    MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return fd < 0 ? -errno : fd;
}

/*
 * Gives the file its size, for good: a QEMU that was taken over could otherwise
 * cut it off under everyone who maps it, this engine too, and a page that is
 * missing there ends a process with SIGBUS. Only a memfd can be sealed; in
 * $GRIDCENTRIC_RAM_DIR a VM is trusted with that. Returns 0 or a negated errno.
 */
static int fix_size(int fd, int64_t size)
{
	if (ftruncate(fd, size) < 0)
		return -errno;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0 &&
	    errno != EINVAL && errno != EPERM)
		return -errno;
	return 0;
}

/* Whether size bytes are free in $GRIDCENTRIC_RAM_DIR, as far as the file
 * system can say: a process that maps a file learns too late that storage is
 * full. A memfd is bounded by the machine's memory, which tickets account
 * for. */
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

	assert(size > 0);
	if (!ram)
		goto out;
	ram->size = size;
	ram->uses = 1;
	ram->fd = open_file();
	code = ram->fd < 0 ? ram->fd : 0;
	if (code)
		goto out;
	/* QEMU, often under another user, opens it through the descriptor */
	if (!has_room(ram->fd, size))
		code = -ENOSPC;
	else if (fchmod(ram->fd, 0666) < 0)
		code = -errno;
	else
		code = fix_size(ram->fd, size);
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
	assert(ram->uses > 0);
	ram->uses++;
	return ram;
}

int ram_seal(struct ram *ram)
{
	/* EINVAL, EPERM: of a file in $GRIDCENTRIC_RAM_DIR, or sealed before */
	if (fcntl(ram->fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) <
		    0 &&
	    errno != EINVAL && errno != EPERM)
		return -errno;
	return 0;
}

void ram_drop(struct ram *ram)
{
	if (!ram)
		return;
	assert(ram->uses > 0);
	if (--ram->uses > 0)
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
