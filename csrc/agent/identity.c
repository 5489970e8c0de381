/* identity - see identity.h */
#include "agent/identity.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MACHINE_ID "/etc/machine-id"
#define ID_BYTES   16
#define ID_TEXT	   (2 * ID_BYTES) /* characters, in hexadecimal */

int identity_host(const char *name, struct err *err)
{
	if (sethostname(name, strlen(name)) < 0)
		return err_set(err, -errno, "host name");
	return 0;
}

/* ---- machine id -------------------------------------------------------- */

static const char *const journals[] = { "/run/log/journal",
					"/var/log/journal" };

/* The folder that journald writes to, in a place, for the id in the file: that
 * name, or what it is a link to. */
static void find_journal(const char *place, const char *id, char *name)
{
	char path[96], target[ID_TEXT + 1];
	struct stat st;
	ssize_t n;

	name[0] = '\0';
	snprintf(path, sizeof path, "%s/%s", place, id);
	if (stat(path, &st) < 0)
		return;
	n = readlink(path, target, sizeof target);
	if (n == ID_TEXT)
		id = target;
	snprintf(name, ID_TEXT + 1, "%.*s", ID_TEXT, id);
}

static void find_journals(struct machine_id *id)
{
	char text[ID_TEXT + 1] = "";
	size_t i;

	if (pread(id->fd, text, ID_TEXT, 0) != ID_TEXT)
		text[0] = '\0';
	for (i = 0; i < sizeof journals / sizeof journals[0]; i++)
		if (text[0])
			find_journal(journals[i], text, id->journals[i]);
		else
			id->journals[i][0] = '\0';
}

/* A link that cannot be made costs the clone its old log lines only. */
static void link_journals(const struct machine_id *id, const char *text)
{
	char path[96];
	size_t i;

	for (i = 0; i < sizeof journals / sizeof journals[0]; i++) {
		if (!id->journals[i][0])
			continue;
		snprintf(path, sizeof path, "%s/%.*s", journals[i], ID_TEXT,
			 text);
		if (symlink(id->journals[i], path) < 0)
			continue;
	}
}

/* In place: the file may be a mount point. */
void identity_open(struct machine_id *id)
{
	struct stat st;

	if (id->fd >= 0)
		close(id->fd);
	id->fd = open(MACHINE_ID, O_RDWR | O_CREAT | O_CLOEXEC, 0444);
	id->len = id->fd >= 0 && fstat(id->fd, &st) == 0 ? st.st_size : 0;
	if (id->fd >= 0)
		find_journals(id);
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
	char text[ID_TEXT + 1];
	int i, code;

	if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
		return err_set(err, -EIO, "machine id: random bytes");
	bytes[6] = (bytes[6] & 0x0f) | 0x40; /* a UUID of version 4 */
	bytes[8] = (bytes[8] & 0x3f) | 0x80;
	for (i = 0; i < ID_BYTES; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[ID_TEXT] = '\n';
	errno = 0;
	code = write_id(id, text, sizeof text);
	if (!code)
		link_journals(id, text);
	return code ? err_set(err, code, "machine id: " MACHINE_ID) : 0;
}

int identity_first_machine(struct machine_id *id, struct err *err)
{
	struct stat st;

	/* systemd's "uninitialized" is shorter, too */
	if (stat(MACHINE_ID, &st) == 0 && st.st_size >= ID_TEXT)
		return 0;
	return identity_machine(id, err);
}

int identity_clock(int64_t realtime_ns, struct err *err)
{
	struct timespec now = { .tv_sec = realtime_ns / 1000000000,
				.tv_nsec = realtime_ns % 1000000000 };

	assert(realtime_ns > 0);
	if (clock_settime(CLOCK_REALTIME, &now) < 0)
		return err_set(err, -errno, "clock");
	return 0;
}
