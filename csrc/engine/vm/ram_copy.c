/* ram_copy - see ram_copy.h */
#include "engine/vm/ram_copy.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/vm/ram_private.h"
#include "engine/vm/ram_written.h"

#define PAGE   4096
#define CHUNK  RAM_PRIVATE_PART /* that a thread takes at a time */
#define RANGES 512

/* ---- pages ------------------------------------------------------------- */

/* Writes len bytes of whole pages at offset at. */
static int write_run(void *owner, const void *data, int64_t at, int64_t len)
{
	struct ram_copy *copy = owner;
	int64_t done = 0, page;

	assert(at % PAGE == 0 && len % PAGE == 0 && at + len <= copy->to->size);
	while (done < len) {
		ssize_t n = pwrite(copy->to->fd, (const char *)data + done,
				   (size_t)(len - done), at + done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? n : 0;
	}
	for (page = at; page < at + len; page += PAGE)
		copy->copied_pages[page / PAGE / 8] |=
			(unsigned char)(1 << (page / PAGE % 8));
	atomic_fetch_add(&copy->copied, len);
	return 0;
}

static int write_from_map(struct ram_copy *copy, int64_t at, int64_t len)
{
	return write_run(copy, (char *)copy->from->map + at, at, len);
}

static int differs(const struct ram_copy *copy, int64_t at)
{
	int is_copied =
		copy->copied_pages[at / PAGE / 8] >> (at / PAGE % 8) & 1;

	return !is_copied || memcmp((char *)copy->from->map + at,
				    (char *)copy->to->map + at, PAGE) != 0;
}

static int copy_all_of(struct ram_copy *copy, int64_t at, int64_t end)
{
	return write_from_map(copy, at, end - at);
}

static int copy_what_differs(struct ram_copy *copy, int64_t at, int64_t end)
{
	int code = 0;

	while (at < end && !code) {
		int64_t from = at;

		while (at < end && differs(copy, at))
			at += PAGE;
		if (at > from)
			code = write_from_map(copy, from, at - from);
		else
			at += PAGE;
	}
	return code;
}

/* ---- chunks of the file, [at, end) ------------------------------------- */

/* Copies the parts of [at, end) that are not holes. (Threads share the file's
 * position, which does not matter for SEEK_DATA.) */
static int copy_data(struct ram_copy *copy, int64_t at, int64_t end,
		     int (*copy_extent)(struct ram_copy *, int64_t, int64_t))
{
	int code = 0;

	while (at < end && !code) {
		int64_t data = lseek(copy->from->fd, at, SEEK_DATA), hole;

		if (data < 0 && errno != ENXIO)
			return -errno;
		if (data < 0 || data >= end)
			break;
		hole = lseek(copy->from->fd, data, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		at = hole < end ? hole : end;
		code = copy_extent(copy, data, at);
	}
	return code;
}

/* Copies what was written, by the kernel's answer. */
static int copy_written(struct ram_copy *copy, int64_t at, int64_t end)
{
	struct ram_range ranges[RANGES];
	int i, n, code = 0;

	while (at < end && !code) {
		n = ram_written(copy->pagemap, copy->address, end, &at, ranges,
				RANGES);
		if (n < 0)
			return n;
		for (i = 0; i < n && !code; i++)
			code = write_from_map(copy, ranges[i].at,
					      ranges[i].len);
	}
	return code;
}

static int copy_chunk(struct ram_copy *copy, int64_t at, int64_t end)
{
	int code = 0;

	if (!copy->has_ahead)
		code = copy_data(copy, at, end, copy_all_of);
	else if (copy->is_tracked)
		code = copy_written(copy, at, end);
	else if (!copy->is_private)
		code = copy_data(copy, at, end, copy_what_differs);
	if (!code && copy->is_private && copy->part == COPY_REST)
		code = ram_private_read(copy->pid, copy->pagemap, copy->address,
					at, end, write_run, copy);
	return code;
}

/* ---- threads ----------------------------------------------------------- */

static void *work(void *owner)
{
	struct ram_copy *copy = owner;
	int64_t at, end, size = copy->from->size;
	int code = 0, none = 0;
	uint64_t one = 1;

	while (!code && !atomic_load(&copy->failure)) {
		at = atomic_fetch_add(&copy->next, CHUNK);
		if (at >= size)
			break;
		end = at + CHUNK < size ? at + CHUNK : size;
		code = copy_chunk(copy, at, end);
	}
	if (code)
		atomic_compare_exchange_strong(&copy->failure, &none, code);
	if (atomic_fetch_sub(&copy->left, 1) == 1 &&
	    write(copy->finished.fd, &one, sizeof one) < 0)
		abort(); /* an eventfd at 0 takes it */
	return NULL;
}

static void join(struct ram_copy *copy)
{
	while (copy->nthreads > 0)
		pthread_join(copy->threads[--copy->nthreads], NULL);
}

/* Starts n threads, or as many as can be, with all signals blocked: the main
 * thread handles them. Returns 0 if there is at least one. */
static int start_threads(struct ram_copy *copy, int n)
{
	sigset_t all, old;
	uint64_t one = 1;
	int code = 0, missing;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (; copy->nthreads < n && !code; copy->nthreads += !code)
		code = -pthread_create(&copy->threads[copy->nthreads], NULL,
				       work, copy);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	missing = n - copy->nthreads;
	if (copy->nthreads == 0)
		return code;
	if (missing && atomic_fetch_sub(&copy->left, missing) == missing &&
	    write(copy->finished.fd, &one, sizeof one) < 0)
		abort();
	return 0;
}

static int count_threads(void)
{
	cpu_set_t cores;
	int n = sched_getaffinity(0, sizeof cores, &cores) == 0
			? CPU_COUNT(&cores)
			: 1;

	return n < RAM_THREADS ? n : RAM_THREADS;
}

/* ---- a part ------------------------------------------------------------ */

static void close_pagemap(struct ram_copy *copy)
{
	if (copy->pagemap >= 0)
		close(copy->pagemap);
	copy->pagemap = -1;
}

static void on_finished(struct loop_source *source, uint32_t events)
{
	struct ram_copy *copy = container_of(source, struct ram_copy, finished);
	struct err err = { 0 };
	uint64_t count;

	if (read(source->fd, &count, sizeof count) != sizeof count)
		return;
	assert(atomic_load(&copy->left) == 0);
	join(copy);
	close_pagemap(copy);
	copy->has_ahead = !atomic_load(&copy->failure);
	if (!copy->has_ahead)
		err_set(&err, atomic_load(&copy->failure),
			"copy of the memory");
	copy->done(copy, &err);
}

/* Has the kernel record writes from now on. Returns whether it can. */
static int begin_tracking(struct ram_copy *copy)
{
	struct ram_range ranges[RANGES];
	int64_t at = 0;

	while (at < copy->from->size)
		if (ram_written(copy->pagemap, copy->address, copy->from->size,
				&at, ranges, RANGES) < 0)
			return 0;
	return 1;
}

static int open_copy(struct ram_copy *copy)
{
	int fd, code;

	if (copy->copied_pages)
		return 0;
	code = ram_map(copy->from);
	if (!code)
		code = ram_map(copy->to);
	if (code)
		return code;
	copy->copied_pages = calloc(1, (size_t)copy->from->size / PAGE / 8 + 1);
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	code = !copy->copied_pages ? -ENOMEM : fd < 0 ? -errno : 0;
	if (!code)
		code = loop_add(copy->loop, &copy->finished, fd, EPOLLIN,
				on_finished);
	if (!code)
		return 0;
	if (fd >= 0)
		close(fd);
	free(copy->copied_pages);
	copy->copied_pages = NULL;
	return code;
}

/* Opens the pagemap. Of a master it is only needed if the kernel tracks
 * writes. */
static int look_into(struct ram_copy *copy)
{
	copy->pagemap = ram_private_open(copy->pid, copy->from, &copy->address);
	if (copy->is_private)
		return copy->pagemap < 0 ? copy->pagemap : 0;
	if (copy->part == COPY_AHEAD && !copy->has_ahead)
		copy->is_tracked = copy->pagemap >= 0 && begin_tracking(copy);
	else if (copy->pagemap < 0)
		copy->is_tracked = 0;
	return 0;
}

int ram_copy(struct ram_copy *copy, enum copy_part part, struct err *err)
{
	int n = count_threads(), code;

	assert(!ram_copy_is_busy(copy));
	assert(copy->from->size == copy->to->size);
	code = open_copy(copy);
	copy->part = part;
	copy->pagemap = -1;
	atomic_store(&copy->next, 0);
	atomic_store(&copy->copied, 0);
	atomic_store(&copy->failure, 0);
	atomic_store(&copy->left, n);
	if (!code)
		code = look_into(copy);
	if (!code)
		code = start_threads(copy, n);
	if (!code)
		return 0;
	close_pagemap(copy);
	return err_set(err, code, "copy of the memory");
}

int ram_copy_is_busy(const struct ram_copy *copy)
{
	return copy->nthreads > 0;
}

static void on_closed(struct loop_source *source)
{
	struct ram_copy *copy = container_of(source, struct ram_copy, finished);

	copy->ended(copy);
}

void ram_copy_cancel(struct ram_copy *copy)
{
	atomic_store(&copy->next, INT64_MAX / 2); /* no chunk is left */
	join(copy);
}

void ram_copy_end(struct ram_copy *copy, void (*ended)(struct ram_copy *))
{
	int is_open = copy->copied_pages != NULL;

	ram_copy_cancel(copy);
	if (is_open)
		close_pagemap(copy);
	free(copy->copied_pages);
	copy->copied_pages = NULL;
	copy->ended = ended;
	if (is_open)
		loop_close(&copy->finished, on_closed);
	else
		ended(copy);
}
