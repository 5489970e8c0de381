/* port - see port.h */
#include "agent/port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/unix_socket.h"

#define SYSFS "/sys/class/virtio-ports"

/* Whether the port that sysfs calls `device` has that name. */
static int is_named(const char *device, const char *name)
{
	char path[PATH_MAX], found[256];
	FILE *file;
	int same;

	snprintf(path, sizeof path, SYSFS "/%s/name", device);
	file = fopen(path, "re");
	if (!file)
		return 0;
	same = fgets(found, sizeof found, file) != NULL;
	fclose(file);
	if (!same)
		return 0;
	found[strcspn(found, "\n")] = '\0';
	return strcmp(found, name) == 0;
}

/* Fills path with the device's. Returns 0 or -ENOENT. */
static int find_device(const char *name, char *path)
{
	struct dirent *entry;
	int code = -ENOENT;
	DIR *dir;

	snprintf(path, PATH_MAX, "/dev/virtio-ports/%s", name);
	if (access(path, F_OK) == 0)
		return 0;
	dir = opendir(SYSFS);
	while (dir && code && (entry = readdir(dir)))
		if (is_named(entry->d_name, name)) {
			snprintf(path, PATH_MAX, "/dev/%s", entry->d_name);
			code = 0;
		}
	if (dir)
		closedir(dir);
	return code;
}

static int open_device(const char *path)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	struct termios mode;

	if (fd < 0)
		return -errno;
	if (tcgetattr(fd, &mode) == 0) { /* a serial line: bytes as they are */
		cfmakeraw(&mode);
		tcsetattr(fd, TCSANOW, &mode);
	}
	return fd;
}

int port_open(const char *name, const char *path, struct err *err)
{
	char found[PATH_MAX];
	struct stat st;
	int fd;

	if (!path) {
		if (find_device(name, found))
			return err_say(err, -ENOENT, "no port named %s", name);
		path = found;
	}
	if (stat(path, &st) < 0)
		fd = -errno;
	else
		fd = S_ISSOCK(st.st_mode) ? unix_socket_connect(path, 0)
					  : open_device(path);
	return fd < 0 ? err_set(err, fd, "%s", path) : fd;
}
