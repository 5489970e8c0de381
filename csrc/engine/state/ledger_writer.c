/* ledger_writer - see ledger_writer.h */
#include "engine/state/ledger_writer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine/state/ledger.h"
#include "engine/state/ledger_db.h"

#define PRUNE_EVERY 1000 /* rows written */

static const char *const statements[LEDGER_NTABLES] = {
	[LEDGER_TICKETS] =
		"INSERT INTO tickets(engine, created, changed, cpus, vms,"
		" mincpuspervm, owner, uuid, status)"
		" VALUES(?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
		" ON CONFLICT(engine, uuid) DO UPDATE SET"
		" changed = excluded.changed, cpus = excluded.cpus,"
		" vms = excluded.vms, status = excluded.status",
	[LEDGER_DOMAINS] =
		"INSERT INTO domains(engine, created, changed, vmid, pid,"
		" status, state, host, endpoints, ticket)"
		" VALUES(?1, ?2, ?2, ?3, ?4, nullif(?5, -1), ?7,"
		" nullif(?8, ''), nullif(?9, ''), nullif(?10, ''))"
		" ON CONFLICT(engine, vmid) DO UPDATE SET"
		" changed = excluded.changed, pid = excluded.pid,"
		" status = excluded.status, state = excluded.state,"
		" host = excluded.host, endpoints = excluded.endpoints,"
		" ticket = excluded.ticket",
	[LEDGER_EVENTS] =
		"INSERT INTO events(engine, at, vmid, what, text, json)"
		" VALUES(?1, ?2, nullif(?3, -1), ?7, nullif(?8, ''),"
		" nullif(?9, ''))",
};

void ledger_writer_init(struct ledger_writer *writer, const struct state *state,
			const char *engine)
{
	memset(writer, 0, sizeof *writer);
	writer->state = state;
	writer->started_ms = clock_wall_ms();
	snprintf(writer->name, sizeof writer->name, "%s", engine);
}

/* ---- opening ------------------------------------------------------------ */

void ledger_writer_close(struct ledger_writer *writer)
{
	int i;

	for (i = 0; i < LEDGER_NTABLES; i++) {
		sqlite3_finalize(writer->insert[i]);
		writer->insert[i] = NULL;
	}
	sqlite3_close(writer->db);
	writer->db = NULL;
}

static int open_file(struct ledger_writer *w, struct err *err)
{
	int i, code;

	assert(!w->db);
	code = ledger_db_open(w->state, 1, w->busy_ms, &w->db, err);
	if (!code)
		code = ledger_db_enter(w->db, w->state, w->name, w->started_ms,
				       &w->engine, err);
	if (!code)
		code = ledger_db_bury(w->db, w->state, w->engine, err);
	for (i = 0; i < LEDGER_NTABLES && !code; i++)
		if (sqlite3_prepare_v2(w->db, statements[i], -1, &w->insert[i],
				       NULL) != SQLITE_OK)
			code = ledger_db_error(w->db, w->state, err);
	/* a corrupt one stays open, to be put aside */
	if (code && code != -EUCLEAN)
		ledger_writer_close(w);
	return code;
}

/* Opens the file if it is closed, or no longer the one under its name. */
static int ensure_open(struct ledger_writer *w, struct err *err)
{
	if (w->db && ledger_db_has_moved(w->db))
		ledger_writer_close(w);
	return w->db ? 0 : open_file(w, err);
}

/* Makes room for a new file in the place of a corrupt one. */
static int put_aside(struct ledger_writer *w, struct err *err)
{
	char name[LEDGER_ASIDE];
	int code = ledger_db_put_aside(w->db, w->state, name, err);

	if (!code && *name)
		fprintf(stderr,
			"gridcentric-engine: ledger: %s/" LEDGER_FILE
			" is corrupt; put aside as %s\n",
			w->state->dir, name);
	ledger_writer_close(w);
	return code;
}

/* ---- writing ------------------------------------------------------------ */

static int write_row(struct ledger_writer *w, const struct ledger_row *row)
{
	sqlite3_stmt *insert = w->insert[row->table];
	int i;

	assert(insert);
	sqlite3_bind_int64(insert, 1, w->engine);
	sqlite3_bind_int64(insert, 2, row->at_ms);
	for (i = 0; i < LEDGER_INTS; i++)
		sqlite3_bind_int64(insert, 3 + i, row->ints[i]);
	for (i = 0; i < LEDGER_TEXTS; i++)
		sqlite3_bind_text(insert, 3 + LEDGER_INTS + i, row->texts[i],
				  -1, SQLITE_STATIC);
	sqlite3_step(insert);
	return sqlite3_reset(insert);
}

/* An event in the place of what was dropped. */
static int write_gap(struct ledger_writer *w, int64_t dropped)
{
	char text[64];
	struct ledger_row gap = { .table = LEDGER_EVENTS,
				  .at_ms = clock_wall_ms(),
				  .ints = { -1 },
				  .texts = { "ledger gap", text } };

	snprintf(text, sizeof text, "%" PRId64 " entries are missing", dropped);
	return write_row(w, &gap);
}

static int write_rows(struct ledger_writer *w, const struct ledger_batch *batch,
		      struct err *err)
{
	const struct ledger_row *row = batch->first;
	int i;

	/* never look behind the last row: the queue grows there meanwhile */
	for (i = 0; i < batch->n; i++) {
		if (i > 0)
			row = STAILQ_NEXT(row, entry);
		if (write_row(w, row) != SQLITE_OK)
			return ledger_db_error(w->db, w->state, err);
	}
	/* behind the rows: what did not fit came later than these */
	if ((batch->probe || batch->dropped) &&
	    write_gap(w, batch->dropped) != SQLITE_OK)
		return ledger_db_error(w->db, w->state, err);
	return 0;
}

static int write_batch(struct ledger_writer *w,
		       const struct ledger_batch *batch, struct err *err)
{
	int code;

	if (!batch->n && !batch->probe && !batch->dropped)
		return 0;
	code = ledger_db_run(w->db, w->state, "BEGIN IMMEDIATE", err);
	if (code)
		return code;
	code = write_rows(w, batch, err);
	if (!code && w->written + batch->n >= PRUNE_EVERY)
		code = ledger_db_prune(w->db, w->state, LEDGER_KEEP_ROWS, err);
	if (!code)
		code = ledger_db_run(w->db, w->state, "COMMIT", err);
	if (code) {
		sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL);
		return code;
	}
	w->written = (w->written + batch->n) % PRUNE_EVERY;
	return 0;
}

int ledger_writer_write(struct ledger_writer *writer,
			const struct ledger_batch *batch, struct err *err)
{
	int again, code;

	for (again = 1;; again = 0) {
		code = ensure_open(writer, err);
		if (!code)
			code = write_batch(writer, batch, err);
		if (code != -EUCLEAN || !again)
			break;
		code = put_aside(writer, err);
		if (code)
			break;
	}
	if (code && code != -EAGAIN)
		ledger_writer_close(writer);
	return code;
}

/* ---- the end ------------------------------------------------------------ */

/* The engine's row, and all that it left open, in one transaction. */
int ledger_writer_end(struct ledger_writer *writer, struct err *err)
{
	int code;

	assert(writer->db);
	code = ledger_db_run(writer->db, writer->state, "BEGIN IMMEDIATE", err);
	if (!code)
		code = ledger_db_end_engine(writer->db, writer->state,
					    writer->engine, err);
	if (!code)
		code = ledger_db_run(writer->db, writer->state, "COMMIT", err);
	return code;
}

void ledger_writer_wait(struct ledger_writer *writer, int busy_ms)
{
	writer->busy_ms = busy_ms;
	if (writer->db)
		sqlite3_busy_timeout(writer->db, busy_ms);
}
