/* lifeline - see lifeline.h */
#include "engine/fork/lifeline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

int lifeline_open(int read_end)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/self/fd/%d", read_end);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
