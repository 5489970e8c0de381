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
 *    once, and its owner is freed by the `closed` function it names, which
 *    runs at the end of the turn.
 *  - Handlers never block. A handler may add, change or close any source.
 *  - Single-threaded. Every function returns 0 or a negated errno.
 */
#ifndef GC_BASE_LOOP_H
#define GC_BASE_LOOP_H

#include <stddef.h>
#include <stdint.h>

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
	struct loop_source *next, *prev; /* all sources of the loop */
	struct loop_source *next_closed; /* to be told at end of turn */
	int closing;			 /* it is in that list */
};

/* A one-shot timer; start it again from its own handler to repeat. */
struct loop_timer {
	int64_t due_ms; /* loop_now() at which it fires */
	void (*fire)(struct loop_timer *timer);
	struct loop *loop; /* NULL while it is not running */
	struct loop_timer *next, *prev;
};

/*
 * Something that has happened and that the owner of the loop is to be told.
 * Embedded in whatever carries the details; who pops it looks at kind.
 */
struct completion {
	int kind;   /* defined by who queues it */
	int queued; /* 1 between complete and next */
	struct completion *next;
};

struct loop {
	int epfd; /* the one pollable descriptor */
	int timerfd;
	int wakefd;	  /* eventfd: completions wait outside a turn */
	int turning;	  /* inside loop_turn() */
	int64_t armed_ms; /* when timerfd fires, 0: never */
	struct loop_source *sources;
	struct loop_source *closed_first, *closed_last;
	struct loop_timer *timers; /* sorted, earliest first */
	struct completion *first, *last;
};

/* Opens the loop's descriptors. On error nothing is held. */
int loop_init(struct loop *loop);

/* Closes every source, runs their `closed` functions, closes the rest. */
void loop_free(struct loop *loop);

/* The time of all timers: clock_ms() of base/clock.h. */
int64_t loop_now(void);

/*
 * Watches fd, which from now on belongs to the source, for events. The source
 * must be zeroed or formerly closed. On error fd stays the caller's.
 */
int loop_add(struct loop *loop, struct loop_source *source, int fd,
	     uint32_t events, void (*ready)(struct loop_source *, uint32_t));

/* Changes what is watched for; free of cost when nothing changes. */
int loop_change(struct loop_source *source, uint32_t events);

/*
 * Stops watching and closes the descriptor now; `closed` (may be NULL) is
 * called at the end of this or the next turn. Harmless on a closed source.
 */
void loop_close(struct loop_source *source,
		void (*closed)(struct loop_source *));

/*
 * Closes all sources but one and stops all timers, without a word to their
 * owners, whose memory they stay: for a process that is another one now. Not
 * inside a turn.
 */
void loop_strip(struct loop *loop, const struct loop_source *but);

/* Stops watching without closing; returns the descriptor, now the caller's. */
int loop_release(struct loop_source *source);

/* (Re)starts the timer, to fire once delay_ms from now. */
void loop_timer_start(struct loop *loop, struct loop_timer *timer,
		      int64_t delay_ms, void (*fire)(struct loop_timer *));

/* Stops the timer; harmless when it is not running. */
void loop_timer_stop(struct loop_timer *timer);

/*
 * Waits up to timeout_ms (-1: for ever) for something to happen, runs the
 * handlers, then the `closed` functions. Returns the number of handlers run
 * (0 also when a signal came), or a negated errno.
 */
int loop_turn(struct loop *loop, int timeout_ms);

/* Queues a completion that is not queued yet. It stays the caller's memory. */
void loop_complete(struct loop *loop, struct completion *completion, int kind);

/* Takes a completion out of the queue, for an owner that goes away. */
void loop_uncomplete(struct loop *loop, struct completion *completion);

/* The oldest completion, taken off the queue; NULL when there is none. */
struct completion *loop_next(struct loop *loop);

/*
 * In a child after fork(): forgets all sources, timers and completions (whose
 * memory is for their owners to free, and whose descriptors the caller has
 * closed: all but loop->epfd), and puts a new epoll set under the number of
 * the old one, so that who watches loop->epfd goes on doing so. Not inside a
 * turn.
 */
int loop_after_fork(struct loop *loop);

#endif
