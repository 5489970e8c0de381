/* guest/metric - see guest/metric.h */
#include "guest/metric.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "guest/gc.h"

/* A letter first; or _, as in the names of our own. */
static int is_metric_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return len > 0 && len <= METRIC_NAME && !name[len] &&
	       !(name[0] >= '0' && name[0] <= '9');
}

static struct guest_metric *find_metric(struct guest_metrics *metrics,
					const char *name)
{
	int i;

	for (i = 0; i < metrics->n; i++)
		if (!strcmp(metrics->all[i].name, name))
			return &metrics->all[i];
	return NULL;
}

/* Adds a metric whose name is not in the list yet. NULL with err set on
 * error. */
static struct guest_metric *add_metric(struct guest_metrics *metrics,
				       const char *name, struct err *err)
{
	struct guest_metric *metric;

	assert(metrics->n >= 0 && metrics->n <= METRIC_MAX);
	if (metrics->n == METRIC_MAX) {
		err_say(err, -ENOSPC, "metric %s: there are %d already", name,
			METRIC_MAX);
		return NULL;
	}
	if (!metrics->all)
		metrics->all = calloc(METRIC_MAX, sizeof *metrics->all);
	if (!metrics->all) {
		err_set(err, -ENOMEM, "metric %s", name);
		return NULL;
	}
	metric = &metrics->all[metrics->n++];
	strcpy(metric->name, name);
	return metric;
}

/* Sends all values that have changed. */
static void send_unsent(struct gc *gc)
{
	struct guest_metrics *metrics = &gc->metrics;
	int i;

	assert(channel_is_open(&gc->channel));
	loop_timer_stop(&metrics->timer);
	for (i = 0; i < metrics->n; i++) {
		struct guest_metric *metric = &metrics->all[i];

		if (!metric->unsent)
			continue;
		wire_put(channel_out(&gc->channel), WIRE_METRIC, metric->name,
			 wire_from_double(metric->value));
		metric->unsent = 0;
	}
	metrics->sent_ms = loop_now();
	channel_send(&gc->channel);
}

static void on_gap_over(struct loop_timer *timer)
{
	struct gc *gc = container_of(timer, struct gc, metrics.timer);

	if (channel_is_open(&gc->channel))
		send_unsent(gc);
}

int guest_metric(struct gc *gc, const char *name, double value, struct err *err)
{
	struct guest_metrics *metrics = &gc->metrics;
	struct guest_metric *metric;
	int64_t left;

	if (!is_metric_name(name))
		return err_say(err, -EINVAL,
			       "metric: a name of 1 to %d of a to z, _ "
			       "and, not first, 0 to 9 expected",
			       METRIC_NAME);
	if (!isfinite(value))
		return err_say(err, -EINVAL, "metric %s: not a finite number",
			       name);
	metric = find_metric(metrics, name);
	if (!metric)
		metric = add_metric(metrics, name, err);
	if (!metric)
		return err->code;
	metric->value = value;
	metric->unsent = 1;
	if (!channel_is_open(&gc->channel))
		return 0;
	left = metrics->sent_ms + METRIC_GAP_MS - loop_now();
	if (left <= 0 || !metrics->sent_ms)
		send_unsent(gc);
	else if (!metrics->timer.loop)
		loop_timer_start(&gc->loop, &metrics->timer, left, on_gap_over);
	return 0;
}

void guest_metric_resend(struct gc *gc)
{
	int i;

	for (i = 0; i < gc->metrics.n; i++)
		gc->metrics.all[i].unsent = 1;
	if (gc->metrics.n)
		send_unsent(gc);
}

void guest_metric_forget(struct gc *gc)
{
	loop_timer_stop(&gc->metrics.timer);
	gc->metrics.n = 0;
	gc->metrics.sent_ms = 0;
}
