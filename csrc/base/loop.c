/* loop - see loop.h */
#include "base/loop.h"

#include <assert.h>
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

/* ---- opening and freeing ------------------------------------------------ */

static int epoll_control(struct loop *loop, int op, int fd, uint32_t events,
			 void *data)
{
	struct epoll_event ev = { .events = events, .data.ptr = data };

	return epoll_ctl(loop->epfd, op, fd, &ev) < 0 ? -errno : 0;
}

static void close_descriptors(struct loop *loop)
{
	if (loop->epfd >= 0)
		close(loop->epfd);
	if (loop->timerfd >= 0)
		close(loop->timerfd);
	if (loop->wakefd >= 0)
		close(loop->wakefd);
	loop->epfd = loop->timerfd = loop->wakefd = -1;
}

/*
 * Opens the three descriptors and puts the timer and the wake-up into the
 * epoll set. Their data pointers tell them from sources: they point to the
 * loop's own fields.
 */
static int open_descriptors(struct loop *loop)
{
	int err = 0;

	loop->timerfd = loop->wakefd = -1;
	loop->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epfd >= 0)
		loop->timerfd = timerfd_create(CLOCK_MONOTONIC,
					       TFD_NONBLOCK | TFD_CLOEXEC);
	if (loop->timerfd >= 0)
		loop->wakefd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->wakefd < 0)
		err = -errno;
	if (!err)
		err = epoll_control(loop, EPOLL_CTL_ADD, loop->timerfd, EPOLLIN,
				    &loop->timerfd);
	if (!err)
		err = epoll_control(loop, EPOLL_CTL_ADD, loop->wakefd, EPOLLIN,
				    &loop->wakefd);
	if (err)
		close_descriptors(loop);
	return err;
}

static struct loop_timer *timer_of(struct heap_node *node)
{
	return node ? container_of(node, struct loop_timer, node) : NULL;
}

/* Timers of the same millisecond fire in the order in which they started. */
static int fires_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct loop_timer *one = container_of(a, struct loop_timer, node);
	const struct loop_timer *two = container_of(b, struct loop_timer, node);

	if (one->due_ms != two->due_ms)
		return one->due_ms < two->due_ms;
	assert(one->serial != two->serial);
	return one->serial < two->serial;
}

int loop_init(struct loop *loop)
{
	memset(loop, 0, sizeof *loop);
	LIST_INIT(&loop->sources);
	STAILQ_INIT(&loop->closed);
	TAILQ_INIT(&loop->completions);
	loop->timers.before = fires_before;
	return open_descriptors(loop);
}

static void run_closed(struct loop *loop)
{
	struct loop_source *source;
	void (*closed)(struct loop_source *);

	while ((source = STAILQ_FIRST(&loop->closed))) {
		STAILQ_REMOVE_HEAD(&loop->closed, closed_entry);
		assert(source->closing && source->fd < 0);
		closed = source->closed;
		source->closing = 0;
		closed(source);
	}
}

void loop_free(struct loop *loop)
{
	struct loop_source *source;

	assert(!loop->turning);
	while ((source = LIST_FIRST(&loop->sources)))
		loop_close(source, source->closed);
	run_closed(loop);
	close_descriptors(loop);
}

/* ---- sources ------------------------------------------------------------ */

static int is_open(const struct loop_source *source)
{
	return source->loop && source->fd >= 0;
}

int loop_add(struct loop *loop, struct loop_source *source, int fd,
	     uint32_t events, void (*ready)(struct loop_source *, uint32_t))
{
	int err;

	assert(fd >= 0 && ready);
	assert(!is_open(source) && !source->closing);
	err = epoll_control(loop, EPOLL_CTL_ADD, fd, events, source);
	if (err)
		return err;
	source->fd = fd;
	source->events = events;
	source->ready = ready;
	source->closed = NULL;
	source->loop = loop;
	LIST_INSERT_HEAD(&loop->sources, source, entry);
	return 0;
}

int loop_change(struct loop_source *source, uint32_t events)
{
	int err;

	if (!is_open(source))
		return -EBADF;
	if (source->events == events)
		return 0;
	err = epoll_control(source->loop, EPOLL_CTL_MOD, source->fd, events,
			    source);
	if (!err)
		source->events = events;
	return err;
}

int loop_release(struct loop_source *source)
{
	int fd = source->fd;

	if (!is_open(source))
		return -1;
	/* in words: closing is not enough where a copy of fd is open elsewhere,
	 * as after a fork */
	epoll_control(source->loop, EPOLL_CTL_DEL, fd, 0, NULL);
	LIST_REMOVE(source, entry);
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
	if (!closed)
		return;
	assert(!source->closing);
	source->closing = 1;
	STAILQ_INSERT_TAIL(&loop->closed, source, closed_entry);
}

void loop_strip(struct loop *loop, const struct loop_source *but)
{
	struct loop_source *source, *next;

	assert(!loop->turning);
	for (source = LIST_FIRST(&loop->sources); source; source = next) {
		next = LIST_NEXT(source, entry);
		if (source != but)
			close(loop_release(source));
	}
	while (loop->timers.root)
		loop_timer_stop(timer_of(loop->timers.root));
}

/* ---- timers ------------------------------------------------------------- */

/* Sets timerfd to the earliest timer, or off. */
static void arm(struct loop *loop)
{
	struct loop_timer *first = timer_of(loop->timers.root);
	int64_t due = first ? first->due_ms : 0;
	struct itimerspec when = { { 0, 0 }, { 0, 0 } };

	if (due == loop->armed_ms)
		return;
	when.it_value.tv_sec = due / 1000;
	when.it_value.tv_nsec = due % 1000 * CLOCK_MS_NS;
	timerfd_settime(loop->timerfd, TFD_TIMER_ABSTIME, &when, NULL);
	loop->armed_ms = due;
}

void loop_timer_stop(struct loop_timer *timer)
{
	struct loop *loop = timer->loop;

	if (!loop)
		return;
	heap_remove(&loop->timers, &timer->node);
	timer->loop = NULL;
	if (!loop->turning)
		arm(loop);
}

void loop_timer_start(struct loop *loop, struct loop_timer *timer,
		      int64_t delay_ms, void (*fire)(struct loop_timer *))
{
	assert(fire);
	loop_timer_stop(timer);
	timer->due_ms = loop_now() + (delay_ms > 0 ? delay_ms : 0);
	timer->serial = ++loop->timer_serial;
	timer->fire = fire;
	timer->loop = loop;
	heap_insert(&loop->timers, &timer->node);
	if (!loop->turning)
		arm(loop);
}

/* Fires the timers that are due, except those that are started meanwhile: one
 * that restarts itself without a delay must not hold up the rest of the loop. */
static int run_timers(struct loop *loop)
{
	uint64_t last = loop->timer_serial;
	int64_t now = loop_now();
	struct loop_timer *timer;
	int n = 0;

	while ((timer = timer_of(loop->timers.root)) && timer->due_ms <= now &&
	       timer->serial <= last) {
		assert(timer->loop == loop);
		loop_timer_stop(timer);
		timer->fire(timer);
		n++;
	}
	return n;
}

/* ---- turns -------------------------------------------------------------- */

/* Empties an eventfd or timerfd, so that it stops being readable. */
static void drain(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof count) < 0)
		return; /* EAGAIN: it is empty */
}

/* Runs the handler of one event. Returns the number of handlers run. */
static int run_event(struct loop *loop, const struct epoll_event *event)
{
	struct loop_source *source = event->data.ptr;

	if (event->data.ptr == &loop->timerfd) {
		drain(loop->timerfd);
		loop->armed_ms = 0;
		return 0;
	}
	if (event->data.ptr == &loop->wakefd) {
		drain(loop->wakefd);
		return 0;
	}
	if (source->fd < 0)
		return 0; /* closed by an earlier handler of this turn */
	assert(source->loop == loop);
	source->ready(source, event->events);
	return 1;
}

int loop_turn(struct loop *loop, int timeout_ms)
{
	struct epoll_event batch[BATCH];
	int i, n, ran = 0;

	assert(!loop->turning);
	n = epoll_wait(loop->epfd, batch, BATCH, timeout_ms);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	loop->turning = 1;
	for (i = 0; i < n; i++)
		ran += run_event(loop, &batch[i]);
	ran += run_timers(loop);
	loop->turning = 0;
	run_closed(loop);
	arm(loop);
	return ran;
}

/* ---- completions -------------------------------------------------------- */

void loop_complete(struct loop *loop, struct completion *completion, int kind)
{
	uint64_t one = 1;

	assert(!completion->queued);
	completion->kind = kind;
	completion->queued = 1;
	TAILQ_INSERT_TAIL(&loop->completions, completion, entry);
	/* inside a turn the owner of the loop looks at the queue anyway */
	if (!loop->turning && write(loop->wakefd, &one, sizeof one) < 0)
		return; /* EAGAIN: it is readable already */
}

struct completion *loop_next(struct loop *loop)
{
	struct completion *completion = TAILQ_FIRST(&loop->completions);

	if (completion)
		loop_uncomplete(loop, completion);
	return completion;
}

int loop_has_completions(const struct loop *loop)
{
	return !TAILQ_EMPTY(&loop->completions);
}

void loop_uncomplete(struct loop *loop, struct completion *completion)
{
	if (!completion->queued)
		return;
	TAILQ_REMOVE(&loop->completions, completion, entry);
	completion->queued = 0;
}

/* ---- after a fork ------------------------------------------------------- */

int loop_after_fork(struct loop *loop)
{
	struct loop_source *source;
	struct loop_timer *timer;
	struct completion *completion;
	int err, epfd = loop->epfd;

	assert(!loop->turning);
	LIST_FOREACH(source, &loop->sources, entry)
		source->fd = -1;
	STAILQ_FOREACH(source, &loop->closed, closed_entry)
		source->closing = 0;
	while ((timer = timer_of(loop->timers.root))) {
		heap_remove(&loop->timers, &timer->node);
		timer->loop = NULL;
	}
	TAILQ_FOREACH(completion, &loop->completions, entry)
		completion->queued = 0;
	err = loop_init(loop);
	if (err)
		return err;
	if (dup3(loop->epfd, epfd, O_CLOEXEC) < 0)
		return -errno;
	close(loop->epfd);
	loop->epfd = epfd;
	return 0;
}
