/* loop - see loop.h */
#include "base/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"

#define BATCH 64 /* events taken from the kernel at a time */

int64_t loop_now(void)
{
	return clock_ms();
}

static int watch(struct loop *loop, int op, int fd, uint32_t events, void *data)
{
	struct epoll_event ev = { .events = events, .data.ptr = data };

	return epoll_ctl(loop->epfd, op, fd, &ev) < 0 ? -errno : 0;
}

/*
 * Opens the three descriptors and puts the timer and the wake-up into the
 * epoll set; these two are told from sources by their data pointers, which
 * point to the loop's own fields.
 */
static int open_descriptors(struct loop *loop)
{
	int err;

	loop->epfd = epoll_create1(EPOLL_CLOEXEC);
	loop->timerfd =
		timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	loop->wakefd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->epfd < 0 || loop->timerfd < 0 || loop->wakefd < 0) {
		err = -errno;
		goto out;
	}
	err = watch(loop, EPOLL_CTL_ADD, loop->timerfd, EPOLLIN,
		    &loop->timerfd);
	if (!err)
		err = watch(loop, EPOLL_CTL_ADD, loop->wakefd, EPOLLIN,
			    &loop->wakefd);
out:
	if (err) {
		if (loop->epfd >= 0)
			close(loop->epfd);
		if (loop->timerfd >= 0)
			close(loop->timerfd);
		if (loop->wakefd >= 0)
			close(loop->wakefd);
		loop->epfd = loop->timerfd = loop->wakefd = -1;
	}
	return err;
}

int loop_init(struct loop *loop)
{
	memset(loop, 0, sizeof *loop);
	return open_descriptors(loop);
}

static void run_closed(struct loop *loop)
{
	struct loop_source *source;

	while ((source = loop->closed_first)) {
		loop->closed_first = source->next_closed;
		if (!loop->closed_first)
			loop->closed_last = NULL;
		source->next_closed = NULL;
		source->closing = 0;
		if (source->closed)
			source->closed(source);
	}
}

void loop_free(struct loop *loop)
{
	while (loop->sources)
		loop_close(loop->sources, loop->sources->closed);
	run_closed(loop);
	if (loop->epfd >= 0) {
		close(loop->epfd);
		close(loop->timerfd);
		close(loop->wakefd);
	}
	loop->epfd = loop->timerfd = loop->wakefd = -1;
}

int loop_add(struct loop *loop, struct loop_source *source, int fd,
	     uint32_t events, void (*ready)(struct loop_source *, uint32_t))
{
	int err = watch(loop, EPOLL_CTL_ADD, fd, events, source);

	if (err)
		return err;
	source->fd = fd;
	source->events = events;
	source->ready = ready;
	source->closed = NULL;
	source->loop = loop;
	source->prev = NULL;
	source->next = loop->sources;
	if (source->next)
		source->next->prev = source;
	loop->sources = source;
	return 0;
}

int loop_change(struct loop_source *source, uint32_t events)
{
	int err;

	if (source->events == events)
		return 0;
	err = watch(source->loop, EPOLL_CTL_MOD, source->fd, events, source);
	if (!err)
		source->events = events;
	return err;
}

static void unlink_source(struct loop_source *source)
{
	if (source->prev)
		source->prev->next = source->next;
	else
		source->loop->sources = source->next;
	if (source->next)
		source->next->prev = source->prev;
	source->next = source->prev = NULL;
}

int loop_release(struct loop_source *source)
{
	int fd = source->fd;

	if (!source->loop || fd < 0)
		return -1;
	/* explicit: a copy elsewhere would keep the watch alive otherwise */
	watch(source->loop, EPOLL_CTL_DEL, fd, 0, NULL);
	unlink_source(source);
	source->fd = -1;
	return fd;
}

void loop_close(struct loop_source *source,
		void (*closed)(struct loop_source *))
{
	struct loop *loop = source->loop;
	int fd = loop_release(source);

	if (fd < 0)
		return;
	close(fd);
	source->closed = closed;
	if (source->closing)
		return; /* closed twice in a turn: told once */
	source->closing = 1;
	if (loop->closed_last)
		loop->closed_last->next_closed = source;
	else
		loop->closed_first = source;
	loop->closed_last = source;
}

void loop_strip(struct loop *loop, const struct loop_source *but)
{
	struct loop_source *source, *next;

	for (source = loop->sources; source; source = next) {
		next = source->next;
		if (source != but)
			close(loop_release(source));
	}
	while (loop->timers)
		loop_timer_stop(loop->timers);
}

/* Sets timerfd to the earliest timer, or off. */
static void arm(struct loop *loop)
{
	int64_t due = loop->timers ? loop->timers->due_ms : 0;
	struct itimerspec when = { { 0, 0 }, { 0, 0 } };

	if (due == loop->armed_ms)
		return;
	when.it_value.tv_sec = due / 1000;
	when.it_value.tv_nsec = due % 1000 * 1000000;
	timerfd_settime(loop->timerfd, TFD_TIMER_ABSTIME, &when, NULL);
	loop->armed_ms = due;
}

void loop_timer_stop(struct loop_timer *timer)
{
	struct loop *loop = timer->loop;

	if (!loop)
		return;
	if (timer->prev)
		timer->prev->next = timer->next;
	else
		loop->timers = timer->next;
	if (timer->next)
		timer->next->prev = timer->prev;
	timer->next = timer->prev = NULL;
	timer->loop = NULL;
	if (!loop->turning)
		arm(loop);
}

void loop_timer_start(struct loop *loop, struct loop_timer *timer,
		      int64_t delay_ms, void (*fire)(struct loop_timer *))
{
	struct loop_timer *at, *before = NULL;

	loop_timer_stop(timer);
	timer->due_ms = loop_now() + (delay_ms > 0 ? delay_ms : 0);
	timer->fire = fire;
	timer->loop = loop;
	for (at = loop->timers; at && at->due_ms <= timer->due_ms;
	     at = at->next)
		before = at;
	timer->prev = before;
	timer->next = at;
	if (at)
		at->prev = timer;
	if (before)
		before->next = timer;
	else
		loop->timers = timer;
	if (!loop->turning)
		arm(loop);
}

static int run_timers(struct loop *loop)
{
	int64_t now = loop_now();
	struct loop_timer *timer;
	int n = 0;

	while ((timer = loop->timers) && timer->due_ms <= now) {
		loop_timer_stop(timer);
		timer->fire(timer);
		n++;
	}
	return n;
}

/* Empties an eventfd or timerfd, so that it stops being readable. */
static void drain(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof count) < 0)
		return; /* EAGAIN: emptied already */
}

int loop_turn(struct loop *loop, int timeout_ms)
{
	struct epoll_event batch[BATCH];
	int i, n, ran = 0;

	n = epoll_wait(loop->epfd, batch, BATCH, timeout_ms);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	loop->turning = 1;
	for (i = 0; i < n; i++) {
		struct loop_source *source = batch[i].data.ptr;

		if (batch[i].data.ptr == &loop->timerfd) {
			drain(loop->timerfd);
			loop->armed_ms = 0;
			continue;
		}
		if (batch[i].data.ptr == &loop->wakefd) {
			drain(loop->wakefd);
			continue;
		}
		if (source->fd < 0)
			continue; /* closed earlier in this batch */
		source->ready(source, batch[i].events);
		ran++;
	}
	ran += run_timers(loop);
	loop->turning = 0;
	run_closed(loop);
	arm(loop);
	return ran;
}

void loop_complete(struct loop *loop, struct completion *completion, int kind)
{
	uint64_t one = 1;

	completion->kind = kind;
	completion->queued = 1;
	completion->next = NULL;
	if (loop->last)
		loop->last->next = completion;
	else
		loop->first = completion;
	loop->last = completion;
	/* inside a turn whoever turns the loop looks at the queue anyway */
	if (!loop->turning && write(loop->wakefd, &one, sizeof one) < 0)
		return; /* EAGAIN: it is awake */
}

struct completion *loop_next(struct loop *loop)
{
	struct completion *completion = loop->first;

	if (!completion)
		return NULL;
	loop->first = completion->next;
	if (!loop->first)
		loop->last = NULL;
	completion->next = NULL;
	completion->queued = 0;
	return completion;
}

void loop_uncomplete(struct loop *loop, struct completion *completion)
{
	struct completion **at, *before = NULL;

	if (!completion->queued)
		return;
	for (at = &loop->first; *at != completion; at = &(*at)->next)
		before = *at;
	*at = completion->next;
	if (loop->last == completion)
		loop->last = before;
	completion->next = NULL;
	completion->queued = 0;
}

int loop_after_fork(struct loop *loop)
{
	struct loop old = *loop;
	struct loop_source *source, *next;
	struct loop_timer *timer, *following;
	int err;

	for (source = loop->sources; source; source = next) {
		next = source->next;
		source->next = source->prev = NULL;
		source->fd = -1;
	}
	for (timer = loop->timers; timer; timer = following) {
		following = timer->next;
		timer->next = timer->prev = NULL;
		timer->loop = NULL;
	}
	memset(loop, 0, sizeof *loop);
	err = open_descriptors(loop);
	if (err)
		return err;
	if (dup3(loop->epfd, old.epfd, O_CLOEXEC) < 0)
		return -errno;
	close(loop->epfd);
	loop->epfd = old.epfd;
	return 0;
}
