/*
 * clock_sync - sets the clock of the VM by the engine's
 *
 * A time that was written down when a message was sent is old when the guest
 * reads it: a clone's QEMU has to load its state first and share the CPU with
 * others. So the agent asks the engine for the time when it is ready to set
 * the clock, and measures how long the answer takes. The true time lies within
 * that round trip; the middle is taken. A slow round trip is repeated, and the
 * shortest one counts.
 *
 *	start ---> PING n ---> PONG n: short enough, or the last try ---> done
 *		     ^------------- too slow <---'
 *
 * When the engine does not answer in time, the best time known is set.
 */
#ifndef GC_AGENT_CLOCK_SYNC_H
#define GC_AGENT_CLOCK_SYNC_H

#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"

#define CLOCK_SYNC_GOOD_MS  20 /* a round trip that is short enough */
#define CLOCK_SYNC_TRIES    5
#define CLOCK_SYNC_LIMIT_MS 2000 /* for all of them together */

struct clock_sync {
	struct loop *loop;
	struct loop_timer limit; /* runs from start to done */
	int64_t number;		 /* of the last PING; they count up */
	int64_t sent_ns;	 /* CLOCK_MONOTONIC of that */
	int tries;		 /* that were answered */
	int64_t best_ns;	 /* the shortest round trip */
	int64_t offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC, by that one */
	void (*ping)(struct clock_sync *sync, int64_t number); /* sends it */
	/* The clock is set, or err says why not. Called once for a start, not
	 * from inside it. */
	void (*done)(struct clock_sync *sync, const struct err *err);
};

/*
 * Begins; loop and ping are set. realtime_ns: the time by the engine's last
 * message, for want of a better one. A start while one is under way replaces
 * it.
 */
void clock_sync_start(struct clock_sync *sync, int64_t realtime_ns,
		      void (*done)(struct clock_sync *, const struct err *));

/* Takes the engine's PONG: the number of a PING and its CLOCK_REALTIME. An
 * answer to another PING than the last one is ignored. */
void clock_sync_pong(struct clock_sync *sync, int64_t number,
		     int64_t realtime_ns);

/* Ends it without setting the clock; `done` is not called. */
void clock_sync_stop(struct clock_sync *sync);

#endif
