/* repair/reopen - see repair/reopen.h */
#include "repair/reopen.h"

#include <assert.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COPY_MAX (1024 * 1024) /* bytes: a lock file is small */

/* A file in memory with the content of the item's. Returns the descriptor, or
 * -1: it cannot be read, or is too large. */
static int copy_file(const struct repair_item *item)
{
	struct stat st;
	off_t from = 0;
	int fd;

	if (fstat(item->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_size > COPY_MAX)
		return -1;
	fd = memfd_create("gridcentric", MFD_CLOEXEC);
	while (fd >= 0 && from < st.st_size &&
	       sendfile(fd, item->fd, &from, COPY_MAX) > 0)
		;
	return fd;
}

int reopen_file(const struct repair_item *item)
{
	const int kept = O_ACCMODE | O_APPEND | O_NONBLOCK | O_DIRECT | O_SYNC;
	char path[64];
	int fd;

	assert(item->action == REPAIR_REOPEN);
	snprintf(path, sizeof path, "/proc/self/fd/%d", item->fd);
	fd = open(path, (item->status & kept) | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && item->is_locked)
		fd = copy_file(item); /* since the program changed its user */
	if (fd < 0)
		return -1;
	lseek(fd, lseek(item->fd, 0, SEEK_CUR), SEEK_SET);
	return fd;
}

int reopen_is_same(int a, int b)
{
	pid_t pid = getpid();

	return syscall(SYS_kcmp, pid, pid, KCMP_FILE, a, b) == 0;
}
