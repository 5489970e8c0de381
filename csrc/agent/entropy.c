/* entropy - see entropy.h */
#include "agent/entropy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <string.h>
#include <sys/ioctl.h>

#define CHUNK 256 /* bytes credited at a time */

static int credit(int fd, const char *bytes, size_t len)
{
	union {
		struct rand_pool_info info;
		char space[sizeof(struct rand_pool_info) + CHUNK];
	} pool;

	pool.info.entropy_count = (int)len * 8;
	pool.info.buf_size = (int)len;
	memcpy(pool.info.buf, bytes, len);
	return ioctl(fd, RNDADDENTROPY, &pool) < 0 ? -errno : 0;
}

int entropy_open(struct err *err)
{
	int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);

	return fd < 0 ? err_set(err, -errno, "random bytes: /dev/urandom") : fd;
}

int entropy_feed(int fd, const void *bytes, size_t len, struct err *err)
{
	const char *at = bytes;
	int code = 0;

	while (len && !code) {
		size_t n = len < CHUNK ? len : CHUNK;

		code = credit(fd, at, n);
		at += n;
		len -= n;
	}
	/* ENODATA: it is not seeded yet, and will be with these */
	if (!code && ioctl(fd, RNDRESEEDCRNG) < 0 && errno != ENODATA)
		code = -errno;
	return code ? err_set(err, code, "random bytes") : 0;
}
