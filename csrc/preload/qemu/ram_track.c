/*
 * ram_track - preloaded into the QEMU of a VM that clones are made from: has
 * the kernel record which pages of its RAM are written
 *
 * $GRIDCENTRIC_TRACK_FD is the number of the RAM file's descriptor. When QEMU
 * maps that file shared, the mapping is registered for asynchronous write
 * protection (userfaultfd, Linux 6.7). A process that may trace QEMU can then
 * ask for the pages that were written since its last question (PAGEMAP_SCAN, see
 * csrc/engine/vm/ram_written.h). The first write to a protected page costs one
 * short fault inside the kernel.
 *
 * This needs no privileges, and covers writes by the kernel and by KVM. With an
 * older kernel nothing happens, and the engine compares pages.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* of Linux 6.4 and 6.7, which Debian 12's headers do not have */
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif

static int is_ram(int fd)
{
	const char *given = getenv("GRIDCENTRIC_TRACK_FD");
	struct stat ram, st;

	return given && fd >= 0 && fstat(atoi(given), &ram) == 0 &&
	       fstat(fd, &st) == 0 && st.st_dev == ram.st_dev &&
	       st.st_ino == ram.st_ino;
}

/* Registers a mapping. The descriptor stays open: closing it would end the
 * protection. */
static void track(void *start, size_t len)
{
	struct uffdio_api api = { .api = UFFD_API,
				  .features = UFFD_FEATURE_WP_ASYNC |
					      UFFD_FEATURE_WP_UNPOPULATED |
					      UFFD_FEATURE_WP_HUGETLBFS_SHMEM };
	struct uffdio_register range = { .range = { (uintptr_t)start, len },
					 .mode = UFFDIO_REGISTER_MODE_WP };
	int fd = (int)syscall(SYS_userfaultfd,
			      O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);

	if (fd < 0)
		return;
	if (ioctl(fd, UFFDIO_API, &api) < 0 ||
	    ioctl(fd, UFFDIO_REGISTER, &range) < 0)
		close(fd);
}

/* Tracks what was mapped, if that is the RAM. */
static void look_at(void *start, size_t len, int flags, int fd)
{
	if (start != MAP_FAILED && flags & MAP_SHARED && is_ram(fd))
		track(start, len);
}

__attribute__((visibility("default"))) void *
mmap(void *start, size_t len, int protection, int flags, int fd, off_t offset)
{
	void *(*next)(void *, size_t, int, int, int, off_t) =
		(void *(*)(void *, size_t, int, int, int, off_t))dlsym(
			RTLD_NEXT, "mmap");
	void *at = next(start, len, protection, flags, fd, offset);

	look_at(at, len, flags, fd);
	return at;
}

__attribute__((visibility("default"))) void *mmap64(void *start, size_t len,
						    int protection, int flags,
						    int fd, off64_t offset)
{
	void *(*next)(void *, size_t, int, int, int, off64_t) =
		(void *(*)(void *, size_t, int, int, int, off64_t))dlsym(
			RTLD_NEXT, "mmap64");
	void *at = next(start, len, protection, flags, fd, offset);

	look_at(at, len, flags, fd);
	return at;
}
