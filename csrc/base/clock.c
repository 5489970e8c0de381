/* clock - see clock.h */
#include "base/clock.h"

#include <assert.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec ts = { 0 };
	int failed = clock_gettime(id, &ts);

	assert(!failed); /* both clocks exist on every Linux */
	return (int64_t)ts.tv_sec * 1000 * CLOCK_MS_NS + ts.tv_nsec;
}

int64_t clock_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_us(void)
{
	return clock_ns() / 1000;
}

int64_t clock_ms(void)
{
	return clock_ns() / CLOCK_MS_NS;
}

struct timespec clock_deadline(int64_t delay_ms)
{
	int64_t at = clock_ns() + delay_ms * CLOCK_MS_NS;

	assert(delay_ms >= 0);
	return (struct timespec){ .tv_sec = at / (1000 * CLOCK_MS_NS),
				  .tv_nsec = at % (1000 * CLOCK_MS_NS) };
}

int64_t clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t clock_wall_ms(void)
{
	return clock_wall_ns() / CLOCK_MS_NS;
}
