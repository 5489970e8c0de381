/*
 * fault_disk - preloaded into a program, makes a disk of any slowness for its
 * ledger, for specs
 *
 *	SPEC_DISK_FAULT=PATH	nothing is written to the ledger while a file
 *				PATH exists
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int is_ledger(int fd)
{
	char link[64], path[4096];
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	path[n > 0 ? n : 0] = '\0';
	return strstr(path, "/ledger.db") != NULL;
}

static void wait_for_disk(int fd)
{
	static const struct timespec step = { .tv_nsec = 1000000 };
	const char *gate = getenv("SPEC_DISK_FAULT");

	while (gate && is_ledger(fd) && access(gate, F_OK) == 0)
		nanosleep(&step, NULL);
}

#define EXPORTED   __attribute__((visibility("default")))
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

EXPORTED int fsync(int fd)
{
	wait_for_disk(fd);
	return REAL(fsync)(fd);
}

EXPORTED int fdatasync(int fd)
{
	wait_for_disk(fd);
	return REAL(fdatasync)(fd);
}

EXPORTED ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	wait_for_disk(fd);
	return REAL(pwrite64)(fd, data, len, at);
}
