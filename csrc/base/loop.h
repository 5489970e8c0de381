/*
 * loop - one epoll descriptor with its sources, timers and completions
 *
 * Both sides of the channel stand on it: in a domain the descriptor is nested
 * in the program's own event loop, in the engine it is the event loop.
 *
 *	loop_init(&loop);
 *	loop_add(&loop, &source, fd, EPOLLIN, on_ready);
 *	for (;;) {
 *		loop_turn(&loop, timeout_ms);
 *		while ((c = loop_next(&loop)))
 *			...
 *	}
 *
 * Rules:
 *  - A source or timer is embedded in the object that owns it (container_of).
 *  - Nothing is freed inside its own handler: loop_close() ends a source at
 *    once, and the `closed` function given there, which runs at the end of the
 *    turn, frees the owner.
 *  - Handlers never block. A handler may add, change or close any source, and
 *    start or stop any timer.
 *  - Single-threaded. Functions return 0 or a negated errno unless they say
 *    otherwise.
 */
#ifndef GC_BASE_LOOP_H
#define GC_BASE_LOOP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/heap.h"

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr)-offsetof(type, member)))

struct loop;

/* A descriptor that is watched. */
struct loop_source {
	int fd;		 /* -1 when closed or never opened */
	uint32_t events; /* EPOLLIN | EPOLLOUT ..., 0: only ERR and HUP */
	void (*ready)(struct loop_source *source, uint32_t events);
	void (*closed)(struct loop_source *source); /* may be NULL */
	struct loop *loop;
	LIST_ENTRY(loop_source) entry; /* in loop->sources */
	STAILQ_ENTRY(loop_source) closed_entry;
	int closing; /* it is in loop->closed */
};

/* A one-shot timer; start it again from its own handler to repeat. */
struct loop_timer {
	int64_t due_ms;	 /* loop_now() at which it fires */
	uint64_t serial; /* orders timers that are due at the same time */
	void (*fire)(struct loop_timer *timer);
	struct loop *loop;     /* NULL while it does not run */
	struct heap_node node; /* in loop->timers */
};

/*
 * Something that has happened and that the owner of the loop must be told.
 * Embedded in the object that carries the details, which kind tells apart.
 */
struct completion {
	int kind;   /* the owner's own numbers */
	int queued; /* 1 between loop_complete() and loop_next() */
	TAILQ_ENTRY(completion) entry;
};

struct loop {
	int epfd; /* the one pollable descriptor */
	int timerfd;
	int wakefd;	  /* eventfd: completions wait outside a turn */
	int turning;	  /* inside loop_turn() */
	int64_t armed_ms; /* when timerfd fires, 0: never */
	LIST_HEAD(loop_sources, loop_source) sources;
	/* those whose `closed` function has to be called */
	STAILQ_HEAD(loop_closed, loop_source) closed;
	struct heap timers;
	uint64_t timer_serial; /* of the timer started last */
	TAILQ_HEAD(loop_completions, completion) completions;
};

/* Opens the loop's descriptors. On error nothing is held. */
int loop_init(struct loop *loop);

/* Closes every source, runs their `closed` functions, closes the rest. */
void loop_free(struct loop *loop);

/* The time of all timers: clock_ms() of base/clock.h. */
int64_t loop_now(void);

/*
 * Watches fd for events and calls `ready`. fd belongs to the source from now
 * on; on error it stays the caller's. The source must be zeroed, or closed or
 * released before, with its `closed` function run.
 */
int loop_add(struct loop *loop, struct loop_source *source, int fd,
	     uint32_t events, void (*ready)(struct loop_source *, uint32_t));

/* Changes the events that are watched for; costs nothing if they stay the
 * same. -EBADF if the source is closed. */
int loop_change(struct loop_source *source, uint32_t events);

/*
 * Stops watching and closes the descriptor now; `closed` (may be NULL) is
 * called at the end of this or the next turn. Harmless on a closed source.
 */
void loop_close(struct loop_source *source,
		void (*closed)(struct loop_source *));

/* Stops watching without closing; returns the descriptor, now the caller's, or
 * -1 if the source is closed. */
int loop_release(struct loop_source *source);

/*
 * Closes all sources except `but` and stops all timers, without calling their
 * owners, who keep their memory: for a process that has become another one.
 * Not inside a turn.
 */
void loop_strip(struct loop *loop, const struct loop_source *but);

/* (Re)starts the timer, to fire once delay_ms from now. */
void loop_timer_start(struct loop *loop, struct loop_timer *timer,
		      int64_t delay_ms, void (*fire)(struct loop_timer *));

/* Stops the timer; harmless when it does not run. */
void loop_timer_stop(struct loop_timer *timer);

/*
 * Waits up to timeout_ms (-1: for ever) for something to happen, runs the
 * handlers, then the `closed` functions. Returns the number of handlers run
 * (0 also when a signal came), or a negated errno.
 */
int loop_turn(struct loop *loop, int timeout_ms);

/* Queues a completion that is not queued. It stays the caller's memory. */
void loop_complete(struct loop *loop, struct completion *completion, int kind);

/* The oldest completion, taken off the queue; NULL when there is none. */
struct completion *loop_next(struct loop *loop);

/* Whether loop_next() would return one. */
int loop_has_completions(const struct loop *loop);

/* Takes a completion out of the queue, for an owner that goes away; harmless
 * on one that is not queued. */
void loop_uncomplete(struct loop *loop, struct completion *completion);

/*
 * In a child after fork(): forgets all sources, timers and completions, and
 * puts a new epoll set under the number of the old one, so that a program that
 * polls loop->epfd goes on doing so. The memory of what is forgotten is its
 * owners' to free; the caller has closed its descriptors, and the loop's except
 * epfd. Not inside a turn.
 */
int loop_after_fork(struct loop *loop);

#endif
