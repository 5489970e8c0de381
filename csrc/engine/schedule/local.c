/*
 * engine/schedule/local - the capacity of one machine, shared by its engines
 *
 * Requests wait in one queue, in order of arrival; only the first is tried,
 * so that nobody overtakes it. It is tried when it comes, when a grant is
 * given back here, and when the folder tells that another engine wrote its
 * record or died (inotify, only while somebody waits). A timer covers what
 * that cannot tell: a lock that was held, an engine whose files were closed
 * before its lock was dropped, memory that became free.
 *
 * Engines agree through capacity.h; what this one holds and since when it
 * waits is written there by take() and write_rest(). Until that is done the
 * others count what was given back as still held, never the other way round.
 *
 * CPUs of a placement are held until it is given back. Its memory is held, too,
 * until it has started: then the kernel counts the memory that is really taken,
 * and memory that clones share is not counted twice.
 *
 * A long file, as these are the parts of one machine: the queue, the answers,
 * taking, waiting, and the operations that the header promises.
 */
#include "engine/core/scheduler.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/core/host.h"
#include "engine/schedule/capacity.h"
#include "engine/schedule/machine.h"

#define RETRY_MS     2	 /* somebody counts; doubled each time up to ... */
#define RETRY_MAX_MS 100 /* ... where somebody was stopped while he counted */
#define RECHECKS     2	 /* after news: its lock is dropped a little later */
#define POLL_MS	     100 /* where there is no inotify to be had */
#define GRACE_MS     20	 /* beyond a timeout, if just then somebody counts */

enum waiting {
	ANSWERED, /* granted or denied, or never asked */
	WAITING,  /* in the queue */
	IN_GRACE, /* the same, beyond its timeout */
};

struct local {
	struct scheduler *s;
	struct capacity capacity;
	struct memory memory;
	int total;	  /* CPUs */
	int held;	  /* CPUs granted and not given back */
	int64_t promised; /* bytes granted, neither started nor given back */
	struct capacity_count seen; /* by the last count */
	int err;		    /* of the last try, 0: it counted */
	struct schedule_request *first, *last;
	struct loop_timer again;
	int retry_ms; /* the last delay after an error */
	int rechecks; /* to be done, as something has changed */
	int watching; /* `changed` is called for news */
};

static void on_again(struct loop_timer *timer);

/* Has the queue looked at in this turn, or the next one. */
static void soon(struct local *l)
{
	loop_timer_start(l->s->loop, &l->again, 0, on_again);
}

/* ---- the queue ---------------------------------------------------------- */

static void enqueue(struct local *l, struct schedule_request *r)
{
	r->waiting = WAITING;
	r->next = NULL;
	if (l->last)
		l->last->next = r;
	else
		l->first = r;
	l->last = r;
}

static void unqueue(struct local *l, struct schedule_request *r)
{
	struct schedule_request **at, *before = NULL;

	for (at = &l->first; *at != r; at = &(*at)->next)
		before = *at;
	*at = r->next;
	if (l->last == r)
		l->last = before;
	r->next = NULL;
	r->waiting = ANSWERED;
	loop_timer_stop(&r->timer);
}

/* ---- answers ------------------------------------------------------------ */

static int free_cpus(const struct local *l)
{
	int64_t left = l->total - l->held - l->seen.others;

	return left > 0 ? (int)left : 0;
}

static int64_t free_memory(struct local *l)
{
	int64_t available = memory_available(&l->memory);
	int64_t left = available - l->promised - l->seen.memory;

	if (available == INT64_MAX)
		return available; /* nothing is known, nothing is refused */
	return left > 0 ? left : 0;
}

/* Says what is missing for the request. */
static void explain(struct local *l, const struct schedule_request *r,
		    struct err *err)
{
	int64_t memory = r->minvms * r->memory;
	int64_t available = r->memory > 0 ? free_memory(l) : 0;
	int cpus = r->minvms * r->mincpuspervm;
	int code = -GC_EDENIED;

	if (l->err == -EAGAIN)
		err_say(err, code,
			"another engine holds the lock on the capacity");
	else if (l->err)
		err_say(err, code, "CPUs cannot be counted (%s)",
			err_text(l->err));
	else if (cpus > free_cpus(l))
		err_say(err, code, "%d CPUs needed, %d of %d free", cpus,
			free_cpus(l), l->total);
	else if (memory > available)
		err_say(err, code,
			"%lld MB of memory needed, %lld MB available",
			(long long)(memory >> 20),
			(long long)(available >> 20));
	else
		err_say(err, code,
			"others have waited for longer; %d CPUs needed, %d of "
			"%d free",
			cpus, free_cpus(l), l->total);
	if (r->timeout_ms)
		err_prefix(err, "%s within %d ms", err_text(code),
			   r->timeout_ms);
	else
		err_prefix(err, "%s", err_text(code));
}

static void deny(struct local *l, struct schedule_request *r, struct err *err)
{
	unqueue(l, r);
	soon(l);
	l->s->denied(l->s, r, err);
}

/* Frees what is held for the placements' memory; once for each. */
static void end_promise(struct local *l, struct schedule_request *r,
			int placement)
{
	if (r->started[placement])
		return;
	r->started[placement] = 1;
	l->promised -= r->memory;
	assert(l->promised >= 0);
	memory_changed(&l->memory);
	soon(l);
}

static void give_back(struct local *l, struct schedule_request *r,
		      int placement)
{
	assert(r->vms > 0 && r->waiting == ANSWERED);
	end_promise(l, r, placement);
	r->vms--;
	r->cpus -= r->mincpuspervm;
	l->held -= r->mincpuspervm;
	assert(l->held >= 0 && r->cpus == r->vms * r->mincpuspervm);
	if (r->vms == 0) {
		free(r->started);
		r->started = NULL;
	}
	soon(l);
}

/* Gives back what the request has got, which nobody was told. */
static void take_back(struct local *l, struct schedule_request *r)
{
	l->held -= r->cpus;
	l->promised -= r->vms * r->memory;
	assert(l->held >= 0 && l->promised >= 0);
	r->vms = r->cpus = 0;
}

/* Tells that the request has got its VMs. */
static void grant(struct local *l, struct schedule_request *r)
{
	struct placement *placements =
		calloc((size_t)r->vms, sizeof *placements);
	struct err err;
	int i;

	assert(r->waiting != ANSWERED && r->vms > 0);
	r->started = calloc((size_t)r->vms, sizeof *r->started);
	if (!placements || !r->started) {
		err_set(&err, -ENOMEM, "grant %d VMs", r->vms);
		free(placements);
		free(r->started);
		r->started = NULL;
		take_back(l, r);
		deny(l, r, &err);
		return;
	}
	for (i = 0; i < r->vms; i++) {
		strcpy(placements[i].host, HOST_LOCAL);
		placements[i].cpus = r->mincpuspervm;
		placements[i].memory = r->memory;
	}
	unqueue(l, r);
	l->s->granted(l->s, r, placements, r->vms);
	free(placements);
}

/* ---- taking ------------------------------------------------------------- */

/* How many VMs the request gets of what was counted; 0: it has to wait. */
static int vms_for(struct local *l, const struct schedule_request *r)
{
	int cpus = free_cpus(l), vms;
	int64_t fit;

	if (l->seen.older)
		return 0;
	vms = (cpus < r->maxcpus ? cpus : r->maxcpus) / r->mincpuspervm;
	if (vms >= r->minvms && r->memory > 0) {
		fit = free_memory(l) / r->memory;
		if (fit < vms)
			vms = (int)fit;
	}
	return vms >= r->minvms ? vms : 0;
}

/* With the lock held: counts, and writes down what r gets, or that it waits.
 * Returns the number of VMs, or a negated errno. */
static int take(struct local *l, const struct schedule_request *r)
{
	struct record record = { .cpus = l->held,
				 .memory = l->promised,
				 .since_ns = r->since_ns };
	int64_t others = l->seen.memory;
	int vms, err;

	err = capacity_count(&l->capacity, r->since_ns, &l->seen);
	if (err)
		return err;
	if (l->seen.memory < others)
		memory_changed(&l->memory); /* theirs was taken, perhaps */
	vms = vms_for(l, r);
	if (vms > 0) {
		record.cpus += vms * r->mincpuspervm;
		record.memory += vms * r->memory;
		record.since_ns = r->next ? r->next->since_ns : 0;
	}
	err = capacity_write(&l->capacity, &record);
	return err ? err : vms;
}

/* Tries to serve the first request. Returns 1 when it has its VMs now. */
static int try(struct local *l)
{
	struct schedule_request *r = l->first;
	int vms;

	vms = capacity_lock(&l->capacity);
	if (!vms) {
		vms = take(l, r);
		capacity_unlock(&l->capacity);
	}
	l->err = vms < 0 ? vms : 0;
	if (vms <= 0)
		return 0;
	r->vms = vms;
	r->cpus = vms * r->mincpuspervm;
	l->held += r->cpus;
	l->promised += vms * r->memory;
	return 1;
}

/* ---- waiting ------------------------------------------------------------ */

/* Writes down what has been given back when nobody waits here. */
static void write_rest(struct local *l)
{
	const struct record *last = &l->capacity.written;
	struct record record = { .cpus = l->held, .memory = l->promised };

	l->err = 0;
	if (last->cpus == record.cpus && last->memory == record.memory &&
	    last->since_ns == 0)
		return;
	l->err = capacity_lock(&l->capacity);
	if (l->err)
		return;
	l->err = capacity_write(&l->capacity, &record);
	capacity_unlock(&l->capacity);
}

/* When to look again if nothing tells us; -1: there is nothing to do. */
static int next_delay(struct local *l)
{
	static const int recheck_ms[RECHECKS] = { 1, 10 };

	if (l->err) {
		l->retry_ms = l->retry_ms ? 2 * l->retry_ms : RETRY_MS;
		if (l->retry_ms > RETRY_MAX_MS)
			l->retry_ms = RETRY_MAX_MS;
		return l->retry_ms;
	}
	l->retry_ms = 0;
	if (!l->first)
		return -1;
	if (l->rechecks)
		return recheck_ms[RECHECKS - l->rechecks];
	return l->watching ? CAPACITY_BEAT_MS : POLL_MS;
}

static void on_change(struct capacity *capacity);

/* Serves the first request, or sees to it that it will be. */
static void serve(struct local *l)
{
	int begun, delay;

	if (l->first && try(l)) {
		/* the next one after this is told, even if it comes only then:
		 * who asks again and again must not keep the loop */
		soon(l);
		grant(l, l->first);
		return;
	}
	if (l->first) {
		begun = capacity_watch(&l->capacity, l->s->loop, on_change);
		l->watching = begun >= 0;
		if (begun > 0) {
			soon(l);
			return;
		}
	} else {
		capacity_unwatch(&l->capacity);
		write_rest(l);
	}
	delay = next_delay(l);
	if (delay < 0)
		loop_timer_stop(&l->again);
	else
		loop_timer_start(l->s->loop, &l->again, delay, on_again);
}

static void on_change(struct capacity *capacity)
{
	struct local *l = container_of(capacity, struct local, capacity);

	l->rechecks = RECHECKS;
	serve(l);
}

static void on_again(struct loop_timer *timer)
{
	struct local *l = container_of(timer, struct local, again);

	if (l->rechecks)
		l->rechecks--;
	serve(l);
}

static void on_deadline(struct loop_timer *timer)
{
	struct schedule_request *r =
		container_of(timer, struct schedule_request, timer);
	struct local *l = r->scheduler->data;
	struct err err;

	if (r == l->first && try(l)) {
		soon(l);
		grant(l, r);
		return;
	}
	if (r == l->first && l->err == -EAGAIN && r->waiting != IN_GRACE) {
		r->waiting = IN_GRACE;
		loop_timer_start(l->s->loop, timer, GRACE_MS, on_deadline);
		return;
	}
	explain(l, r, &err);
	deny(l, r, &err);
}

/* ---- the operations ----------------------------------------------------- */

static int open_local(struct scheduler *s, const struct state *state,
		      const char *engine, struct err *err)
{
	struct local *l = calloc(1, sizeof *l);
	int code;

	if (!l)
		return err_set(err, -ENOMEM, "scheduler");
	code = l->total = machine_cpus(err);
	if (code > 0)
		code = capacity_open(&l->capacity, state, engine, err);
	if (code) {
		free(l);
		return code;
	}
	l->s = s;
	s->data = l;
	return 0;
}

static void close_local(struct scheduler *s)
{
	struct local *l = s->data;

	while (l->first)
		unqueue(l, l->first);
	loop_timer_stop(&l->again);
	capacity_close(&l->capacity);
	free(l);
	s->data = NULL;
}

/* Refuses what could never be granted. */
static int check(const struct local *l, const struct schedule_request *r,
		 struct err *err)
{
	int64_t least = (int64_t)r->minvms * r->mincpuspervm;

	if (r->maxcpus < 1 || r->minvms < 1 || r->mincpuspervm < 1 ||
	    r->timeout_ms < 0 || r->memory < 0)
		return err_say(err, -EINVAL,
			       "CPUs and VMs have to be 1 or more, the "
			       "timeout 0 ms or more");
	if (least > r->maxcpus)
		return err_say(err, -GC_EIMPOSSIBLE,
			       "%d VMs with %d CPUs each are %lld CPUs, more "
			       "than the maximum of %d that was asked for",
			       r->minvms, r->mincpuspervm, (long long)least,
			       r->maxcpus);
	if (least > l->total)
		return err_say(err, -GC_EIMPOSSIBLE,
			       "%d VMs with %d CPUs each are %lld CPUs, more "
			       "than the %d of this machine",
			       r->minvms, r->mincpuspervm, (long long)least,
			       l->total);
	return 0;
}

static int request(struct scheduler *s, struct schedule_request *r,
		   struct err *err)
{
	struct local *l = s->data;
	int code = check(l, r, err);

	if (code)
		return code;
	r->scheduler = s;
	r->since_ns = clock_ns();
	r->cpus = r->vms = 0;
	r->started = NULL;
	enqueue(l, r);
	/* first the try, then the deadline, also where that is now */
	soon(l);
	loop_timer_start(s->loop, &r->timer, r->timeout_ms, on_deadline);
	return 0;
}

static void cancel(struct scheduler *s, struct schedule_request *r)
{
	if (r->waiting == ANSWERED)
		return;
	unqueue(s->data, r);
	soon(s->data);
}

static void release(struct scheduler *s, struct schedule_request *r,
		    int placement)
{
	assert(placement >= 0);
	give_back(s->data, r, placement);
}

static void started(struct scheduler *s, struct schedule_request *r,
		    int placement)
{
	assert(r->vms > 0 && placement >= 0 && !r->started[placement]);
	end_promise(s->data, r, placement);
}

static void capacity(struct scheduler *s, int *total, int *free)
{
	struct local *l = s->data;

	if (capacity_lock(&l->capacity) == 0) {
		capacity_count(&l->capacity, 0, &l->seen);
		capacity_unlock(&l->capacity);
	}
	*total = l->total;
	*free = free_cpus(l);
}

const struct scheduler_ops scheduler_local = {
	.open = open_local,
	.close = close_local,
	.request = request,
	.cancel = cancel,
	.release = release,
	.started = started,
	.capacity = capacity,
};
