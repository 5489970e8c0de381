/* capacity - see capacity.h */
#include "engine/schedule/capacity.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"

#define TRIES 3 /* a count takes some microseconds */

static int open_folder(struct capacity *capacity)
{
	int fd;

	/* opened anew: a copy of dirfd would share its reading position */
	fd = openat(capacity->state->dirfd, ".",
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	capacity->dir = fdopendir(fd);
	if (capacity->dir)
		return 0;
	close(fd);
	return -ENOMEM;
}

int capacity_open(struct capacity *capacity, const struct state *state,
		  const char *engine, struct err *err)
{
	int code;

	memset(capacity, 0, sizeof *capacity);
	capacity->state = state;
	capacity->lock = capacity->record = -1;
	snprintf(capacity->engine, sizeof capacity->engine, "%s", engine);
	snprintf(capacity->file, sizeof capacity->file, "%s" RECORD_SUFFIX,
		 engine);
	code = open_folder(capacity);
	if (code) {
		err_set(err, code, "%s", state->dir);
		goto out;
	}
	capacity->lock =
		openat(capacity->state->dirfd, CAPACITY_LOCK,
		       O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (capacity->lock < 0) {
		code = err_set(err, -errno, "%s/" CAPACITY_LOCK, state->dir);
		goto out;
	}
	capacity->record = record_create(capacity->state->dirfd, engine, err);
	if (capacity->record < 0) {
		code = capacity->record;
		err_prefix(err, "%s", state->dir);
	}
out:
	if (code)
		capacity_close(capacity);
	return code;
}

void capacity_close(struct capacity *capacity)
{
	if (capacity->record >= 0)
		record_remove(capacity->state->dirfd, capacity->engine,
			      capacity->record);
	if (capacity->lock >= 0)
		close(capacity->lock);
	if (capacity->dir)
		closedir(capacity->dir);
	capacity_unwatch(capacity);
	capacity->record = capacity->lock = -1;
	capacity->dir = NULL;
}

int capacity_lock(struct capacity *capacity)
{
	int i, err = record_lock(capacity->lock, F_WRLCK);

	for (i = 1; err == -EAGAIN && i < TRIES; i++) {
		sched_yield();
		err = record_lock(capacity->lock, F_WRLCK);
	}
	return err;
}

void capacity_unlock(struct capacity *capacity)
{
	record_lock(capacity->lock, F_UNLCK);
}

/* Whether the name is that of another engine's record. */
static int is_other(const struct capacity *capacity, const char *name)
{
	return record_is_name(name) && strcmp(name, capacity->file) != 0;
}

static int is_older(const struct record *other, int64_t since_ns)
{
	return other->since_ns > 0 && other->since_ns < since_ns &&
	       clock_ns() - other->seen_ns <
		       (int64_t)CAPACITY_STALE_MS * CLOCK_MS_NS;
}

int capacity_count(struct capacity *capacity, int64_t since_ns,
		   struct capacity_count *count)
{
	struct record other;
	struct dirent *entry;
	int lives;

	memset(count, 0, sizeof *count);
	rewinddir(capacity->dir);
	while ((entry = readdir(capacity->dir))) {
		if (!is_other(capacity, entry->d_name))
			continue;
		lives = record_read(capacity->state->dirfd, entry->d_name, 1,
				    &other);
		if (lives < 0)
			return lives;
		if (!lives)
			continue;
		count->others += other.cpus > other.reserved ? other.cpus
							     : other.reserved;
		count->memory += other.memory;
		count->older += is_older(&other, since_ns);
	}
	return 0;
}

/* Whether the record says the same, and has said so recently enough. */
static int is_written(const struct record *last, const struct record *now)
{
	/* half a beat, as a timer may come too early by a little */
	return now->cpus == last->cpus && now->memory == last->memory &&
	       now->reserved == last->reserved &&
	       now->since_ns == last->since_ns &&
	       now->seen_ns - last->seen_ns <
		       (int64_t)CAPACITY_BEAT_MS * CLOCK_MS_NS / 2;
}

int capacity_write(struct capacity *capacity, const struct record *record)
{
	struct record now = *record;
	int err;

	assert(capacity->record >= 0);
	now.seen_ns = now.since_ns ? clock_ns() : 0;
	/* each write wakes the engines that wait, which must not answer it with
	 * a write of their own */
	if (is_written(&capacity->written, &now))
		return 0;
	err = record_write(capacity->record, &now);
	if (!err)
		capacity->written = now;
	return err;
}

/* Whether an event is about another engine's record. */
static int is_relevant(const struct capacity *capacity, const char *at,
		       const char *end)
{
	const struct inotify_event *event;

	for (; at < end; at += sizeof *event + event->len) {
		event = (const struct inotify_event *)at;
		if (event->mask & IN_Q_OVERFLOW)
			return 1;
		if (event->len && is_other(capacity, event->name))
			return 1;
	}
	return 0;
}

static void on_watch(struct loop_source *source, uint32_t events)
{
	struct capacity *capacity =
		container_of(source, struct capacity, watch);
	_Alignas(struct inotify_event) char buf[4096];
	int changed = 0;
	ssize_t n;

	while ((n = read(source->fd, buf, sizeof buf)) > 0)
		changed |= is_relevant(capacity, buf, buf + n);
	if (changed)
		capacity->changed(capacity);
}

static int is_watching(const struct capacity *capacity)
{
	return capacity->watch.loop && capacity->watch.fd >= 0;
}

int capacity_watch(struct capacity *capacity, struct loop *loop,
		   void (*changed)(struct capacity *))
{
	int fd, err = 0;

	if (is_watching(capacity))
		return 0;
	capacity->changed = changed;
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (inotify_add_watch(fd, capacity->state->dir,
			      IN_CLOSE_WRITE | IN_MODIFY | IN_DELETE) < 0)
		err = -errno;
	if (!err)
		err = loop_add(loop, &capacity->watch, fd, EPOLLIN, on_watch);
	if (!err)
		return 1;
	close(fd);
	return err;
}

void capacity_unwatch(struct capacity *capacity)
{
	if (is_watching(capacity))
		close(loop_release(&capacity->watch));
}
