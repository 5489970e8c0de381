/*
 * ledger_writer - writes rows to the ledger's file, for the thread of ledger.c
 *
 * Everything here may wait for the disk. The file is opened with the first
 * write, and again when it was put aside or removed; a corrupt one is put aside
 * and written anew.
 */
#ifndef GC_ENGINE_STATE_LEDGER_WRITER_H
#define GC_ENGINE_STATE_LEDGER_WRITER_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/err.h"
#include "engine/state/state.h"

#define LEDGER_INTS  4 /* of a row, at most; in SQL ?3 to ?6 */
#define LEDGER_TEXTS 4 /* ?7 to ?10; ?1 is the engine, ?2 the time */

enum ledger_table {
	LEDGER_TICKETS,
	LEDGER_DOMAINS,
	LEDGER_EVENTS,
	LEDGER_NTABLES
};

/* A row to be inserted or changed; freed by free(). */
struct ledger_row {
	STAILQ_ENTRY(ledger_row) entry;
	enum ledger_table table;
	int64_t at_ms; /* since the epoch */
	int64_t ints[LEDGER_INTS];
	const char *texts[LEDGER_TEXTS]; /* in data; NULL: none */
	size_t size;			 /* bytes of all this */
	char data[];
};

struct ledger_writer {
	const struct state *state;
	char name[96];	    /* of the engine */
	int64_t started_ms; /* of the engine, since the epoch */
	sqlite3 *db;	    /* NULL: not open */
	int64_t engine;	    /* its id in the file */
	sqlite3_stmt *insert[LEDGER_NTABLES];
	int written; /* rows since the last pruning */
	int busy_ms; /* how long a write waits for other processes */
};

/* What one transaction writes. */
struct ledger_batch {
	const struct ledger_row *first;
	int n;		 /* rows, linked from the first on */
	int64_t dropped; /* rows that the file will never have: written as a
			  * "ledger gap", where it is not 0 */
	int probe;	 /* the last write failed: write at least a gap */
};

/* Prepares *writer; nothing is opened yet. state must outlive it. */
void ledger_writer_init(struct ledger_writer *writer, const struct state *state,
			const char *engine);

/*
 * Opens the file if necessary and writes the batch, all of it or nothing.
 * Returns 0; -EAGAIN where another process writes just now, and has for
 * busy_ms; or another code of ledger_db.h: the file is closed then.
 */
int ledger_writer_write(struct ledger_writer *writer,
			const struct ledger_batch *batch, struct err *err);

/* Marks in the file, which is open, that the engine has ended. */
int ledger_writer_end(struct ledger_writer *writer, struct err *err);

/* From now on writes wait up to busy_ms for other processes. */
void ledger_writer_wait(struct ledger_writer *writer, int busy_ms);

/* Closes the file; harmless when it is closed. */
void ledger_writer_close(struct ledger_writer *writer);

#endif
