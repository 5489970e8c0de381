/*
 * ledger - see ledger.h
 *
 * flush() is the only one that touches the file, from a timer. How it went
 * decides what comes next:
 *
 *	written		the queue is empty, the timer rests
 *	busy		another engine writes: the same again in BUSY_MS
 *	corrupt		the file is put aside, the same again at once
 *	anything else	told once; the queue is dropped, and what comes is not
 *			kept until opening the file works again, tried at
 *			intervals that grow to RETRY_MAX_MS
 */
#include "engine/state/ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "engine/state/ledger_db.h"

#define BUSY_MS	     50
#define RETRY_MS     1000
#define RETRY_MAX_MS 60000
#define LAST_WAIT_MS 500 /* for other processes, when the engine ends */
#define MAX_QUEUE    (8 * 1024 * 1024) /* bytes */
#define PRUNE_EVERY  1000	       /* rows written */

#define INTS	     4 /* of a row, at most; in SQL ?3 to ?6 */
#define TEXTS	     4 /* ?7 to ?10; ?1 is the engine, ?2 the time */

enum table { TICKETS, DOMAINS, EVENTS, NTABLES };

static const char *const statements[NTABLES] = {
	[TICKETS] = "INSERT INTO tickets(engine, created, changed, cpus, vms,"
		    " mincpuspervm, owner, uuid, status)"
		    " VALUES(?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
		    " ON CONFLICT(engine, uuid) DO UPDATE SET"
		    " changed = excluded.changed, cpus = excluded.cpus,"
		    " vms = excluded.vms, status = excluded.status",
	[DOMAINS] = "INSERT INTO domains(engine, created, changed, vmid, pid,"
		    " status, state, host, endpoints, ticket)"
		    " VALUES(?1, ?2, ?2, ?3, ?4, nullif(?5, -1), ?7,"
		    " nullif(?8, ''), nullif(?9, ''), nullif(?10, ''))"
		    " ON CONFLICT(engine, vmid) DO UPDATE SET"
		    " changed = excluded.changed, pid = excluded.pid,"
		    " status = excluded.status, state = excluded.state,"
		    " host = excluded.host, endpoints = excluded.endpoints,"
		    " ticket = excluded.ticket",
	[EVENTS] = "INSERT INTO events(engine, at, vmid, what, text, json)"
		   " VALUES(?1, ?2, nullif(?3, -1), ?7, nullif(?8, ''),"
		   " nullif(?9, ''))",
};

/* A write that waits. */
struct row {
	struct row *next;
	enum table table;
	int64_t at_ms; /* since the epoch */
	int64_t ints[INTS];
	const char *texts[TEXTS]; /* in data; NULL: none */
	size_t size;		  /* bytes of all this */
	char data[];
};

struct ledger {
	struct loop *loop;
	const struct state *state;
	char name[96];	    /* of the engine */
	int64_t started_ms; /* of the engine, since the epoch */
	sqlite3 *db;	    /* NULL: not open */
	int64_t engine;	    /* its id in the file */
	sqlite3_stmt *insert[NTABLES];
	struct loop_timer timer;
	struct row *first, *last;
	size_t queued;	 /* bytes */
	int nqueued;	 /* rows */
	int written;	 /* rows since the last pruning */
	int busy_ms;	 /* how long to wait for other processes */
	int failed;	 /* nothing is kept until it can be written again */
	int retry_ms;	 /* the last interval, while failed */
	int64_t dropped; /* rows that the file does not have */
};

/* ---- the queue ---------------------------------------------------------- */

static void on_timer(struct loop_timer *timer);

static void free_queue(struct ledger *l)
{
	struct row *row;

	while ((row = l->first)) {
		l->first = row->next;
		free(row);
	}
	l->last = NULL;
	l->queued = 0;
	l->nqueued = 0;
}

/* A row with copies of the texts (NULL: none), cut and cleaned. */
static struct row *new_row(enum table table, const int64_t *ints,
			   const char *const *texts)
{
	size_t len[TEXTS] = { 0 }, size = sizeof(struct row);
	struct row *row;
	char *at;
	int i;

	for (i = 0; i < TEXTS; i++) {
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
	for (i = 0; i < TEXTS; i++) {
		if (!texts[i])
			continue;
		memcpy(at, texts[i], len[i]);
		text_clean(at);
		row->texts[i] = at;
		at += len[i] + 1;
	}
	return row;
}

/* Queues a write; drops it where there is no use or no room. */
static void add(struct ledger *l, enum table table, const int64_t *ints,
		const char *const *texts)
{
	struct row *row = NULL;

	if (!l)
		return;
	if (!l->failed && l->queued < MAX_QUEUE)
		row = new_row(table, ints, texts);
	if (!row) {
		l->dropped++;
		return;
	}
	if (l->last)
		l->last->next = row;
	else
		l->first = row;
	l->last = row;
	l->queued += row->size;
	l->nqueued++;
	if (!l->timer.loop)
		loop_timer_start(l->loop, &l->timer, LEDGER_DELAY_MS, on_timer);
}

void ledger_ticket(struct ledger *ledger, const char *uuid, const char *status,
		   int cpus, int vms, int mincpuspervm, int owner_vmid)
{
	const int64_t ints[INTS] = { cpus, vms, mincpuspervm, owner_vmid };
	const char *const texts[TEXTS] = { uuid, status };

	add(ledger, TICKETS, ints, texts);
}

void ledger_domain(struct ledger *ledger, int vmid, int pid, const char *state,
		   const char *host, const char *endpoints, const char *ticket,
		   int status)
{
	const int64_t ints[INTS] = { vmid, pid, status };
	const char *const texts[TEXTS] = { state, host, endpoints, ticket };

	add(ledger, DOMAINS, ints, texts);
}

void ledger_event(struct ledger *ledger, const char *what, int vmid,
		  const char *text, const char *json)
{
	const int64_t ints[INTS] = { vmid };
	const char *const texts[TEXTS] = {
		what, text, json && strlen(json) < LEDGER_MAX_TEXT ? json : NULL
	};

	add(ledger, EVENTS, ints, texts);
}

/* ---- the file ----------------------------------------------------------- */

static void close_file(struct ledger *l)
{
	int i;

	for (i = 0; i < NTABLES; i++) {
		sqlite3_finalize(l->insert[i]);
		l->insert[i] = NULL;
	}
	sqlite3_close(l->db);
	l->db = NULL;
}

static int open_file(struct ledger *l, struct err *err)
{
	int i, code;

	code = ledger_db_open(l->state, 1, l->busy_ms, &l->db, err);
	if (!code)
		code = ledger_db_enter(l->db, l->state, l->name, l->started_ms,
				       &l->engine, err);
	if (!code)
		code = ledger_db_bury(l->db, l->state, l->engine, err);
	for (i = 0; i < NTABLES && !code; i++)
		if (sqlite3_prepare_v2(l->db, statements[i], -1, &l->insert[i],
				       NULL) != SQLITE_OK)
			code = ledger_db_error(l->db, l->state, err);
	/* a corrupt one stays open, to be put aside */
	if (code && code != -EUCLEAN)
		close_file(l);
	return code;
}

static int write_row(struct ledger *l, const struct row *row)
{
	sqlite3_stmt *insert = l->insert[row->table];
	int i;

	sqlite3_bind_int64(insert, 1, l->engine);
	sqlite3_bind_int64(insert, 2, row->at_ms);
	for (i = 0; i < INTS; i++)
		sqlite3_bind_int64(insert, 3 + i, row->ints[i]);
	for (i = 0; i < TEXTS; i++)
		sqlite3_bind_text(insert, 3 + INTS + i, row->texts[i], -1,
				  SQLITE_STATIC);
	sqlite3_step(insert);
	return sqlite3_reset(insert);
}

/* An event in the place of what was dropped; also shows whether the file can
 * be written at all when nothing is queued. */
static int write_gap(struct ledger *l)
{
	char text[64];
	struct row gap = { .table = EVENTS,
			   .at_ms = clock_wall_ms(),
			   .ints = { -1 },
			   .texts = { "ledger gap", text } };

	snprintf(text, sizeof text, "%" PRId64 " entries are missing",
		 l->dropped);
	return write_row(l, &gap);
}

static int write_rows(struct ledger *l, struct err *err)
{
	const struct row *row;

	if ((l->failed || l->dropped) && write_gap(l) != SQLITE_OK)
		return ledger_db_error(l->db, l->state, err);
	for (row = l->first; row; row = row->next)
		if (write_row(l, row) != SQLITE_OK)
			return ledger_db_error(l->db, l->state, err);
	return 0;
}

/* Writes all that is queued, in one transaction. */
static int write_queue(struct ledger *l, struct err *err)
{
	int code;

	if (!l->nqueued && !l->failed && !l->dropped)
		return 0;
	code = ledger_db_run(l->db, l->state, "BEGIN IMMEDIATE", err);
	if (code)
		return code;
	code = write_rows(l, err);
	if (!code && l->written + l->nqueued >= PRUNE_EVERY)
		code = ledger_db_prune(l->db, l->state, LEDGER_KEEP_ROWS, err);
	if (!code)
		code = ledger_db_run(l->db, l->state, "COMMIT", err);
	if (code) {
		sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
		return code;
	}
	l->written = (l->written + l->nqueued) % PRUNE_EVERY;
	l->dropped = 0;
	free_queue(l);
	return 0;
}

/* ---- flushing ----------------------------------------------------------- */

/* Opens what is not open, or no longer the file under its name. */
static int ensure_open(struct ledger *l, struct err *err)
{
	if (l->db && ledger_db_has_moved(l->db))
		close_file(l);
	return l->db ? 0 : open_file(l, err);
}

/* Makes room for a new file in the place of a corrupt one. */
static int put_aside(struct ledger *l, struct err *err)
{
	char name[LEDGER_ASIDE];
	int code = ledger_db_put_aside(l->db, l->state, name, err);

	if (!code && *name)
		fprintf(stderr,
			"gridcentric-engine: ledger: %s/" LEDGER_FILE
			" is corrupt; put aside as %s\n",
			l->state->dir, name);
	close_file(l);
	return code;
}

/* Tries to have everything in the file. Returns 0 or a negated errno. */
static int try_to_flush(struct ledger *l, struct err *err)
{
	int again, code;

	for (again = 1;; again = 0) {
		code = ensure_open(l, err);
		if (!code)
			code = write_queue(l, err);
		if (code != -EUCLEAN || !again)
			break;
		code = put_aside(l, err);
		if (code)
			break;
	}
	if (code && code != -EAGAIN)
		close_file(l);
	return code;
}

/* Gives up what waits, and says so once until it works again. */
static void fail(struct ledger *l, const struct err *err)
{
	if (!l->failed)
		fprintf(stderr,
			"gridcentric-engine: ledger: %s; going on without "
			"history\n",
			err->text);
	l->failed = 1;
	l->dropped += l->nqueued;
	free_queue(l);
	l->retry_ms = l->retry_ms ? 2 * l->retry_ms : RETRY_MS;
	if (l->retry_ms > RETRY_MAX_MS)
		l->retry_ms = RETRY_MAX_MS;
}

static void on_timer(struct loop_timer *timer)
{
	struct ledger *l = container_of(timer, struct ledger, timer);
	struct err err;
	int code = try_to_flush(l, &err);

	if (code == -EAGAIN) {
		loop_timer_start(l->loop, timer, BUSY_MS, on_timer);
	} else if (code) {
		fail(l, &err);
		loop_timer_start(l->loop, timer, l->retry_ms, on_timer);
	} else if (l->failed) {
		fprintf(stderr, "gridcentric-engine: ledger: kept again\n");
		l->failed = 0;
		l->retry_ms = 0;
	}
}

struct ledger *ledger_open(struct loop *loop, const struct state *state,
			   const char *engine)
{
	struct ledger *l = calloc(1, sizeof *l);

	if (!l) {
		fprintf(stderr, "gridcentric-engine: ledger: no memory; going "
				"on without history\n");
		return NULL;
	}
	l->loop = loop;
	l->state = state;
	snprintf(l->name, sizeof l->name, "%s", engine);
	l->started_ms = clock_wall_ms();
	loop_timer_start(loop, &l->timer, LEDGER_DELAY_MS, on_timer);
	return l;
}

/* The engine's row, and whatever it left open, in one transaction. */
static int end_engine(struct ledger *l, struct err *err)
{
	int code = ledger_db_run(l->db, l->state, "BEGIN IMMEDIATE", err);

	if (!code)
		code = ledger_db_end_engine(l->db, l->state, l->engine, err);
	if (!code)
		code = ledger_db_run(l->db, l->state, "COMMIT", err);
	return code;
}

void ledger_close(struct ledger *ledger)
{
	struct err err;
	int code;

	if (!ledger)
		return;
	loop_timer_stop(&ledger->timer);
	ledger->busy_ms = LAST_WAIT_MS;
	if (ledger->db)
		sqlite3_busy_timeout(ledger->db, LAST_WAIT_MS);
	code = try_to_flush(ledger, &err);
	if (!code)
		code = end_engine(ledger, &err);
	if (code)
		fail(ledger, &err);
	close_file(ledger);
	free_queue(ledger);
	free(ledger);
}
