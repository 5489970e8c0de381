/* identity - see identity.h */
#include "agent/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MACHINE_ID "/etc/machine-id"
#define ID_BYTES   16

int identity_host(const char *name, struct err *err)
{
	if (sethostname(name, strlen(name)) < 0)
		return err_set(err, -errno, "host name");
	return 0;
}

/* In place: the file may be a mount point. */
void identity_open(struct machine_id *id)
{
	struct stat st;

	if (id->fd >= 0)
		close(id->fd);
	id->fd = open(MACHINE_ID, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
	id->len = id->fd >= 0 && fstat(id->fd, &st) == 0 ? st.st_size : 0;
}

static int write_id(struct machine_id *id, const char *text, off_t len)
{
	if (id->fd < 0) {
		errno = 0;
		identity_open(id);
	}
	if (id->fd < 0 || pwrite(id->fd, text, (size_t)len, 0) != len ||
	    (id->len != len && ftruncate(id->fd, len) < 0))
		return errno ? -errno : -EIO;
	id->len = len;
	return 0;
}

int identity_machine(struct machine_id *id, struct err *err)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[ID_BYTES];
	char text[2 * ID_BYTES + 1];
	int i, code;

	if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
		return err_set(err, -EIO, "machine id: random bytes");
	bytes[6] = (bytes[6] & 0x0f) | 0x40; /* a UUID of version 4 */
	bytes[8] = (bytes[8] & 0x3f) | 0x80;
	for (i = 0; i < ID_BYTES; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * ID_BYTES] = '\n';
	errno = 0;
	code = write_id(id, text, sizeof text);
	return code ? err_set(err, code, "machine id: " MACHINE_ID) : 0;
}

int identity_first_machine(struct machine_id *id, struct err *err)
{
	struct stat st;

	/* systemd's "uninitialized" is shorter, too */
	if (stat(MACHINE_ID, &st) == 0 && st.st_size >= 2 * ID_BYTES)
		return 0;
	return identity_machine(id, err);
}

int identity_clock(int64_t realtime_ns, struct err *err)
{
	struct timespec now = { .tv_sec = realtime_ns / 1000000000,
				.tv_nsec = realtime_ns % 1000000000 };

	if (realtime_ns == 0)
		return 0;
	if (realtime_ns < 0 || clock_settime(CLOCK_REALTIME, &now) < 0)
		return err_set(err, realtime_ns < 0 ? -EINVAL : -errno,
			       "clock");
	return 0;
}
