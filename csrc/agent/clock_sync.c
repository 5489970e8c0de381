/* clock_sync - see clock_sync.h */
#include "agent/clock_sync.h"

#include <assert.h>

#include "agent/identity.h"
#include "base/clock.h"

#define STEP_NS CLOCK_MS_NS /* a smaller error is left alone */

static int is_running(const struct clock_sync *sync)
{
	return sync->limit.loop != NULL;
}

static void send_ping(struct clock_sync *sync)
{
	sync->number++;
	sync->sent_ns = clock_ns();
	sync->ping(sync, sync->number);
}

/* Sets the clock by the best answer. */
static void finish(struct clock_sync *sync)
{
	int64_t wall_ns = clock_ns() + sync->offset_ns;
	int64_t error_ns = wall_ns - clock_wall_ns();
	struct err err = { 0 };

	loop_timer_stop(&sync->limit);
	if (error_ns < -STEP_NS || error_ns > STEP_NS)
		identity_clock(wall_ns, &err);
	sync->done(sync, &err);
}

static void on_limit(struct loop_timer *timer)
{
	finish(container_of(timer, struct clock_sync, limit));
}

void clock_sync_start(struct clock_sync *sync, int64_t realtime_ns,
		      void (*done)(struct clock_sync *, const struct err *))
{
	assert(sync->loop && sync->ping && realtime_ns > 0);
	sync->tries = 0;
	sync->best_ns = INT64_MAX;
	sync->offset_ns = realtime_ns - clock_ns();
	sync->done = done;
	loop_timer_start(sync->loop, &sync->limit, CLOCK_SYNC_LIMIT_MS,
			 on_limit);
	send_ping(sync);
}

void clock_sync_pong(struct clock_sync *sync, int64_t number,
		     int64_t realtime_ns)
{
	int64_t now_ns = clock_ns(), trip_ns = now_ns - sync->sent_ns;

	if (!is_running(sync) || number != sync->number || realtime_ns <= 0)
		return;
	assert(sync->tries < CLOCK_SYNC_TRIES);
	sync->tries++;
	if (trip_ns < sync->best_ns) {
		sync->best_ns = trip_ns;
		sync->offset_ns = realtime_ns + trip_ns / 2 - now_ns;
	}
	if (sync->best_ns <= CLOCK_SYNC_GOOD_MS * (int64_t)CLOCK_MS_NS ||
	    sync->tries == CLOCK_SYNC_TRIES)
		finish(sync);
	else
		send_ping(sync);
}

void clock_sync_stop(struct clock_sync *sync)
{
	loop_timer_stop(&sync->limit);
}
