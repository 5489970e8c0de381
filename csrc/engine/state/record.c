/* record - see record.h */
#include "engine/state/record.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Of one width, so that a new text always covers the old one. Version 1 ended
 * behind the third field, with a line feed in the place of the blank. */
#define FORMAT	   "%10d %20" PRId64 " %20" PRId64 " %20" PRId64 " %10d\n"
#define LENGTH_1   (10 + 1 + 20 + 1 + 20 + 1)
#define LENGTH	   (LENGTH_1 + 20 + 1 + 10 + 1)

#define TRIES	   50 /* somebody may be removing the old file just now */
#define BETWEEN_NS 1000000

int record_lock(int fd, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

/* Whether anyone holds the lock; asking takes nothing, so that readers never
 * stand in the way of an engine that starts. */
static int is_locked(int fd)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
		return -errno;
	return lock.l_type != F_UNLCK;
}

static int file_name(char *file, const char *engine)
{
	int len = snprintf(file, NAME_MAX + 1, "%s" RECORD_SUFFIX, engine);

	return len < 0 || len > NAME_MAX ? -ENAMETOOLONG : 0;
}

/* Whether the descriptor's file is still the one with that name. */
static int is_in_place(int dirfd, const char *file, int fd)
{
	struct stat ours, theirs;

	return fstat(fd, &ours) == 0 &&
	       fstatat(dirfd, file, &theirs, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

/*
 * Opens and locks the file. -EAGAIN: another holds it, or has removed it in
 * between: only its holder removes a file, so that one which is locked and
 * still in place stays.
 */
static int open_locked(int dirfd, const char *file)
{
	int fd, err;

	fd = openat(dirfd, file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return -errno;
	err = record_lock(fd, F_WRLCK);
	if (!err && !is_in_place(dirfd, file, fd))
		err = -EAGAIN;
	if (!err)
		return fd;
	close(fd);
	return err;
}

int record_create(int dirfd, const char *engine, struct err *err)
{
	static const struct timespec between = { .tv_nsec = BETWEEN_NS };
	static const struct record nothing;
	char file[NAME_MAX + 1];
	int i, code, fd;

	code = file_name(file, engine);
	if (code)
		return err_set(err, code, "record of engine %s", engine);
	fd = open_locked(dirfd, file);
	for (i = 1; fd == -EAGAIN && i < TRIES; i++) {
		nanosleep(&between, NULL);
		fd = open_locked(dirfd, file);
	}
	if (fd == -EAGAIN)
		return err_say(err, -EBUSY, "%s: an engine of this name runs",
			       file);
	code = fd < 0 ? fd : record_write(fd, &nothing);
	if (code) {
		if (fd >= 0)
			record_remove(dirfd, engine, fd);
		return err_set(err, code, "%s", file);
	}
	return fd;
}

void record_remove(int dirfd, const char *engine, int fd)
{
	char file[NAME_MAX + 1];

	if (file_name(file, engine) == 0)
		unlinkat(dirfd, file, 0);
	close(fd);
}

int record_write(int fd, const struct record *record)
{
	char text[LENGTH + 1];
	ssize_t n;

	assert(record->cpus >= 0 && record->reserved >= 0);
	assert(record->memory >= 0);
	assert(record->since_ns >= 0 && record->seen_ns >= 0);
	n = snprintf(text, sizeof text, FORMAT, record->cpus, record->since_ns,
		     record->seen_ns, record->memory, record->reserved);
	assert(n == LENGTH);
	n = pwrite(fd, text, LENGTH, 0);
	if (n < 0)
		return -errno;
	return n == LENGTH ? 0 : -ENOSPC;
}

int record_is_name(const char *file)
{
	const char *end = strrchr(file, '.');
	const char *dash = strrchr(file, '-');

	return end && dash && dash > file && end > dash + 1 &&
	       strcmp(end, RECORD_SUFFIX) == 0 &&
	       strspn(dash + 1, "0123456789") == (size_t)(end - dash - 1);
}

/*
 * Fills the record from its file; one that is empty, as its engine is just
 * starting, reserves nothing. Returns 0, -EBADMSG where it is no record, or
 * another negated errno.
 */
static int parse(int fd, struct record *record)
{
	char text[LENGTH + 1];
	ssize_t n = pread(fd, text, LENGTH, 0);

	memset(record, 0, sizeof *record);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	text[n] = '\0';
	if (n >= LENGTH_1 &&
	    sscanf(text, "%d %" SCNd64 " %" SCNd64 " %" SCNd64 " %d",
		   &record->cpus, &record->since_ns, &record->seen_ns,
		   &record->memory, &record->reserved) >= 3 &&
	    record->cpus >= 0 && record->memory >= 0 && record->reserved >= 0)
		return 0;
	memset(record, 0, sizeof *record);
	return -EBADMSG;
}

/* Removes the record of a dead engine, and its control socket. */
static void remove_dead(int dirfd, const char *file)
{
	char sock[NAME_MAX + 1];

	snprintf(sock, sizeof sock, "%.*s" RECORD_SOCKET,
		 (int)(strlen(file) - strlen(RECORD_SUFFIX)), file);
	unlinkat(dirfd, sock, 0);
	unlinkat(dirfd, file, 0);
}

int record_read(int dirfd, const char *file, int clean, struct record *record)
{
	int fd, lives, err;

	/* for reading only: engines that wait are woken when a writer closes a
	 * file */
	fd = openat(dirfd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	err = parse(fd, record);
	lives = err ? 0 : is_locked(fd);
	/* the lock says that nobody is just taking the file for his own */
	if (!err && !lives && clean && record_lock(fd, F_RDLCK) == 0)
		remove_dead(dirfd, file);
	close(fd);
	return err && err != -EBADMSG ? err : lives;
}

int record_lives(int dirfd, const char *engine)
{
	char file[NAME_MAX + 1];
	int fd, lives;

	if (file_name(file, engine))
		return 0;
	fd = openat(dirfd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	lives = is_locked(fd);
	close(fd);
	return lives;
}
