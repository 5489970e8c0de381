/* repair/fdinfo - see repair/fdinfo.h */
#include "repair/fdinfo.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Calls fn for each line of /proc/self/fdinfo/FD until it returns true. */
static int any_line(int fd, int (*fn)(const char *line, int arg), int arg)
{
	char path[64], *line = NULL;
	size_t size = 0;
	int found = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (!found && getline(&line, &size, file) >= 0)
		found = fn(line, arg);
	free(line);
	fclose(file);
	return found;
}

/* POSIX locks are not inherited; these belong to the open file. */
static int is_lock_line(const char *line, int arg)
{
	(void)arg;
	return !strncmp(line, "lock:", 5) &&
	       (strstr(line, " FLOCK ") || strstr(line, " OFDLCK "));
}

int fdinfo_is_locked(int fd)
{
	assert(fd >= 0);
	return any_line(fd, is_lock_line, 0);
}

/* A registration in an epoll set: "tfd: 5 events: 19 data: ...". */
static int is_read_line(const char *line, int fd)
{
	unsigned events;
	int target;

	return sscanf(line, "tfd: %d events: %x", &target, &events) == 2 &&
	       target == fd && events & EPOLLIN;
}

static int is_epoll_set(int fd)
{
	char path[64], what[64];
	ssize_t len;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	len = readlink(path, what, sizeof what - 1);
	if (len < 0)
		return 0;
	what[len] = '\0';
	return !strcmp(what, "anon_inode:[eventpoll]");
}

int fdinfo_is_polled(int fd)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int found = 0;

	if (!dir)
		return 0;
	while (!found && (entry = readdir(dir))) {
		int set = atoi(entry->d_name);

		found = set > STDERR_FILENO && is_epoll_set(set) &&
			any_line(set, is_read_line, fd);
	}
	closedir(dir);
	return found;
}
