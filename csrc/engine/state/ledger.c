/*
 * ledger - see ledger.h
 *
 * The engine's loop appends rows to a queue; a thread of its own writes them
 * (ledger_writer.c). Only the queue's fields are shared, under the mutex. Rows
 * stay in the queue until they are written, so that its bound covers them all;
 * while the thread writes the rows up to `last`, the loop links new ones behind
 * that one. How a write went decides what comes next:
 *
 *	written		the thread waits for rows, then LEDGER_DELAY_MS for
 *			more of them
 *	busy		another process writes: the same again in BUSY_MS
 *	anything else	reported once; the queue is dropped, and so is what
 *			comes, until a write works again, which is tried at
 *			intervals that grow to RETRY_MAX_MS
 *
 * The thread blocks all signals, which are the loop's. It takes nothing from
 * the environment: setenv() in the engine would race with it.
 */
#include "engine/state/ledger.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "engine/state/ledger_writer.h"

#define BUSY_MS	     50
#define RETRY_MS     1000
#define RETRY_MAX_MS 60000
#define LAST_WAIT_MS 500  /* for other processes, when the engine ends */
#define CLOSE_MS     3000 /* for the disk, when the engine ends */

struct ledger {
	/* the thread's, until it has ended */
	struct state state; /* a folder opened for it alone */
	struct ledger_writer writer;
	int retry_ms; /* the last interval, while failed */
	/* constant after ledger_open() */
	pthread_t thread;
	/* shared, under the mutex */
	pthread_mutex_t mutex;
	pthread_cond_t changed; /* rows came, or closing is set */
	STAILQ_HEAD(ledger_queue, ledger_row) queue;
	size_t queued;	 /* bytes of these */
	int nqueued;	 /* rows */
	int64_t dropped; /* rows that the file does not have, and no gap for
			  * them */
	int failed;	 /* nothing is kept until a write works again */
	int full;	 /* rows were dropped for want of room, and reported */
	int closing;	 /* write what is there, then end */
};

/* ---- the queue: the loop's side ----------------------------------------- */

/* A row with copies of the texts (NULL: none), cut and cleaned. */
static struct ledger_row *new_row(enum ledger_table table, const int64_t *ints,
				  const char *const *texts)
{
	size_t len[LEDGER_TEXTS] = { 0 }, size = sizeof(struct ledger_row);
	struct ledger_row *row;
	char *at;
	int i;

	for (i = 0; i < LEDGER_TEXTS; i++) {
		if (texts[i])
			len[i] = strnlen(texts[i], LEDGER_MAX_TEXT);
		size += len[i] + 1;
	}
	row = calloc(1, size);
	if (!row)
		return NULL;
	row->table = table;
	row->at_ms = clock_wall_ms();
	row->size = size;
	memcpy(row->ints, ints, sizeof row->ints);
	at = row->data;
	for (i = 0; i < LEDGER_TEXTS; i++) {
		if (!texts[i])
			continue;
		memcpy(at, texts[i], len[i]);
		text_clean(at);
		row->texts[i] = at;
		at += len[i] + 1;
	}
	assert(at <= (char *)row + size);
	return row;
}

/* Appends a row (NULL: there was no memory for it), unless there is no room.
 * Returns whether it was dropped. */
static int append(struct ledger *l, struct ledger_row *row)
{
	int fits =
		row && !l->failed && l->queued + row->size <= LEDGER_MAX_QUEUE;

	assert(!l->closing);
	if (!fits) {
		l->dropped++;
		return 1;
	}
	STAILQ_INSERT_TAIL(&l->queue, row, entry);
	l->queued += row->size;
	l->nqueued++;
	if (l->nqueued == 1)
		pthread_cond_signal(&l->changed);
	return 0;
}

static void add(struct ledger *l, enum ledger_table table, const int64_t *ints,
		const char *const *texts)
{
	struct ledger_row *row;
	int is_dropped, is_first;

	if (!l)
		return;
	row = new_row(table, ints, texts);
	pthread_mutex_lock(&l->mutex);
	is_dropped = append(l, row);
	is_first = is_dropped && !l->failed && !l->full;
	l->full |= is_first;
	pthread_mutex_unlock(&l->mutex);
	if (is_dropped)
		free(row);
	if (is_first)
		fprintf(stderr,
			"gridcentric-engine: ledger: the disk is too slow; "
			"entries are dropped\n");
}

void ledger_ticket(struct ledger *ledger, const char *uuid, const char *status,
		   int cpus, int vms, int mincpuspervm, int owner_vmid)
{
	const int64_t ints[LEDGER_INTS] = { cpus, vms, mincpuspervm,
					    owner_vmid };
	const char *const texts[LEDGER_TEXTS] = { uuid, status };

	add(ledger, LEDGER_TICKETS, ints, texts);
}

void ledger_domain(struct ledger *ledger, int vmid, int pid, const char *state,
		   const char *host, const char *endpoints, const char *ticket,
		   int status)
{
	const int64_t ints[LEDGER_INTS] = { vmid, pid, status };
	const char *const texts[LEDGER_TEXTS] = { state, host, endpoints,
						  ticket };

	add(ledger, LEDGER_DOMAINS, ints, texts);
}

void ledger_event(struct ledger *ledger, const char *what, int vmid,
		  const char *text, const char *json)
{
	const int64_t ints[LEDGER_INTS] = { vmid };
	const char *const texts[LEDGER_TEXTS] = {
		what, text, json && strlen(json) < LEDGER_MAX_TEXT ? json : NULL
	};

	add(ledger, LEDGER_EVENTS, ints, texts);
}

/* ---- the thread's side -------------------------------------------------- */

/* Waits until `closing` is set or the time is over. */
static void sleep_for(struct ledger *l, int ms)
{
	struct timespec until = clock_deadline(ms);

	while (!l->closing &&
	       pthread_cond_clockwait(&l->changed, &l->mutex, CLOCK_MONOTONIC,
				      &until) != ETIMEDOUT)
		;
}

static void sleep_until_rows(struct ledger *l)
{
	while (!l->closing && !l->nqueued && !l->dropped)
		pthread_cond_wait(&l->changed, &l->mutex);
	sleep_for(l, LEDGER_DELAY_MS);
}

/* Removes the first n rows of the queue. */
static void free_rows(struct ledger *l, int n)
{
	struct ledger_row *row;

	assert(n <= l->nqueued);
	for (l->nqueued -= n; n > 0; n--) {
		row = STAILQ_FIRST(&l->queue);
		STAILQ_REMOVE_HEAD(&l->queue, entry);
		assert(l->queued >= row->size);
		l->queued -= row->size;
		free(row);
	}
	assert((l->nqueued == 0) == (l->queued == 0));
}

/* A write has worked. */
static void note_written(struct ledger *l, const struct ledger_batch *batch)
{
	if (l->failed)
		fprintf(stderr, "gridcentric-engine: ledger: kept again\n");
	l->failed = l->full = l->retry_ms = 0;
	l->dropped -= batch->dropped;
	assert(l->dropped >= 0);
	free_rows(l, batch->n);
}

/* A write has failed: gives up what waits, and reports it once. */
static void note_failed(struct ledger *l, const struct err *err)
{
	if (!l->failed)
		fprintf(stderr,
			"gridcentric-engine: ledger: %s; going on without "
			"history\n",
			err->text);
	l->failed = 1;
	l->dropped += l->nqueued;
	free_rows(l, l->nqueued);
	l->retry_ms = l->retry_ms ? 2 * l->retry_ms : RETRY_MS;
	if (l->retry_ms > RETRY_MAX_MS)
		l->retry_ms = RETRY_MAX_MS;
}

/* Writes what is queued. The mutex is held, except while it writes. */
static int flush(struct ledger *l, int is_last)
{
	struct ledger_batch batch = { .first = STAILQ_FIRST(&l->queue),
				      .n = l->nqueued,
				      .dropped = l->dropped,
				      .probe = l->failed };
	struct err err;
	int code;

	pthread_mutex_unlock(&l->mutex);
	if (is_last)
		ledger_writer_wait(&l->writer, LAST_WAIT_MS);
	code = ledger_writer_write(&l->writer, &batch, &err);
	if (!code && is_last)
		code = ledger_writer_end(&l->writer, &err);
	pthread_mutex_lock(&l->mutex);
	if (!code)
		note_written(l, &batch);
	else if (code != -EAGAIN || is_last)
		note_failed(l, &err);
	return code;
}

static void *run(void *arg)
{
	struct ledger *l = arg;
	int code, is_last;

	pthread_mutex_lock(&l->mutex);
	do {
		is_last = l->closing;
		code = flush(l, is_last);
		if (!code)
			sleep_until_rows(l);
		else
			sleep_for(l, code == -EAGAIN ? BUSY_MS : l->retry_ms);
	} while (!is_last);
	pthread_mutex_unlock(&l->mutex);
	ledger_writer_close(&l->writer);
	return NULL;
}

/* ---- opening and closing ------------------------------------------------ */

/* Starts the thread, in which no signal is handled. */
static int start_thread(struct ledger *l)
{
	sigset_t all, before;
	int code;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&l->thread, NULL, run, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -code;
}

static void free_ledger(struct ledger *l)
{
	state_close(&l->state);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->mutex);
	free(l);
}

static struct ledger *new_ledger(const struct state *state, const char *engine)
{
	struct ledger *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	STAILQ_INIT(&l->queue);
	pthread_mutex_init(&l->mutex, NULL);
	pthread_cond_init(&l->changed, NULL);
	memcpy(l->state.dir, state->dir, sizeof l->state.dir);
	l->state.dirfd =
		openat(state->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ledger_writer_init(&l->writer, &l->state, engine);
	return l;
}

struct ledger *ledger_open(const struct state *state, const char *engine)
{
	struct ledger *l = new_ledger(state, engine);
	int code = l ? 0 : -ENOMEM;

	if (!code && l->state.dirfd < 0)
		code = -errno;
	/* reads the environment, once and for all */
	if (!code && sqlite3_initialize() != SQLITE_OK)
		code = -ENOMEM;
	if (!code)
		code = start_thread(l);
	if (!code)
		return l;
	fprintf(stderr,
		"gridcentric-engine: ledger: %s; going on without history\n",
		err_text(code));
	if (l)
		free_ledger(l);
	return NULL;
}

void ledger_close(struct ledger *ledger)
{
	struct timespec until = clock_deadline(CLOSE_MS);

	if (!ledger)
		return;
	pthread_mutex_lock(&ledger->mutex);
	assert(!ledger->closing);
	ledger->closing = 1;
	pthread_cond_signal(&ledger->changed);
	pthread_mutex_unlock(&ledger->mutex);
	if (pthread_clockjoin_np(ledger->thread, NULL, CLOCK_MONOTONIC,
				 &until)) {
		/* it is left all its memory: the process ends anyway */
		fprintf(stderr, "gridcentric-engine: ledger: the disk does not "
				"answer; the last entries are lost\n");
		pthread_detach(ledger->thread);
		return;
	}
	free_rows(ledger, ledger->nqueued);
	free_ledger(ledger);
}
