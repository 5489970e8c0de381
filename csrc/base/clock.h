/*
 * clock - the two clocks of the kernel, as integers
 *
 * The monotonic clock is for durations and deadlines: it never jumps, and
 * all processes of one machine see the same one. The wall clock is for
 * times that people read, or that outlive the machine's uptime.
 */
#ifndef GC_BASE_CLOCK_H
#define GC_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_MS_NS 1000000 /* nanoseconds in a millisecond */

/* CLOCK_MONOTONIC in milliseconds, microseconds, nanoseconds. */
int64_t clock_ms(void);
int64_t clock_us(void);
int64_t clock_ns(void);

/* CLOCK_MONOTONIC delay_ms from now, for functions that wait until then. */
struct timespec clock_deadline(int64_t delay_ms);

/* CLOCK_REALTIME: milliseconds or nanoseconds since the epoch. */
int64_t clock_wall_ms(void);
int64_t clock_wall_ns(void);

#endif
