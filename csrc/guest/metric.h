/*
 * guest/metric - numbers that the program tells about itself, on their way
 * to the engine
 *
 * The last value of each name is kept. It is sent at once where nothing was
 * sent for METRIC_GAP_MS, else when that time is over: a program may count
 * a million things a second. Values told before there is an engine are sent
 * when there is one.
 */
#ifndef GC_GUEST_METRIC_H
#define GC_GUEST_METRIC_H

#include "base/err.h"
#include "base/loop.h"

#define METRIC_NAME   64  /* characters of a name */
#define METRIC_MAX    64  /* names in one domain */
#define METRIC_GAP_MS 100 /* between two messages about a domain's metrics */

struct gc;

struct guest_metric {
	char name[METRIC_NAME + 1];
	double value;
	int unsent;
};

/* Part of struct gc. Zeroed to start with. */
struct guest_metrics {
	struct guest_metric *all;
	int n;
	int64_t sent_ms; /* loop_now() of the last message, 0: none */
	struct loop_timer timer;
};

/*
 * Tells a value. name: 1 to METRIC_NAME of a to z, 0 to 9 and _. Returns 0,
 * -EINVAL for a name or number that is none, -ENOSPC beyond METRIC_MAX
 * names, -ENOMEM.
 */
int guest_metric(struct gc *gc, const char *name, double value,
		 struct err *err);

/* The channel is open: sends all, for this engine knows none. */
void guest_metric_resend(struct gc *gc);

/* In a clone: the values were the master's. */
void guest_metric_forget(struct gc *gc);

#endif
