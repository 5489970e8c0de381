/*
 * guest/metric - numbers that the program reports about itself, on their way
 * to the engine
 *
 * The last value of each name is kept. It is sent at once if nothing was sent
 * for METRIC_GAP_MS, else at the end of that time: a program may count a
 * million things a second. Values from before the engine was started are sent
 * as soon as it is there.
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
	double value; /* the last one */
	int unsent;   /* the engine does not know that value */
};

/* Part of struct gc. Zeroed to start with. */
struct guest_metrics {
	struct guest_metric *all; /* room for METRIC_MAX; NULL: none yet */
	int n;
	int64_t sent_ms;	 /* loop_now() of the last message, 0: none */
	struct loop_timer timer; /* until the next message may be sent */
};

/*
 * Reports a value. name: 1 to METRIC_NAME of a to z, 0 to 9 and _. Returns 0;
 * -EINVAL for a wrong name and for a number that is not finite, -ENOSPC beyond
 * METRIC_MAX names, -ENOMEM.
 */
int guest_metric(struct gc *gc, const char *name, double value,
		 struct err *err);

/* Sends all values, to an engine that knows none. The channel is open. */
void guest_metric_resend(struct gc *gc);

/* In a clone: forgets the values, which were the master's. */
void guest_metric_forget(struct gc *gc);

#endif
