/* open_again - see open_again.h */
#include "engine/vm/open_again.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

int open_again(int fd, int flags)
{
	char path[32];
	int again;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	again = open(path, flags | O_CLOEXEC);
	return again < 0 ? -errno : again;
}
