/*
 * ledger_db - the SQLite file under the ledger: opened, repaired, cleaned
 *
 * The engine's queue (ledger.c) and the readers (ledger_print.c) stand on it.
 * Failures are negated errno values with a text that names the file:
 *
 *	-EAGAIN		another process writes; try again
 *	-EUCLEAN	the file is corrupt, or no database
 *	-ENOENT		there is none
 *	others		it cannot be opened, read or written
 */
#ifndef GC_ENGINE_STATE_LEDGER_DB_H
#define GC_ENGINE_STATE_LEDGER_DB_H

#include <sqlite3.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/state/state.h"

#define LEDGER_FILE  "ledger.db"
#define LEDGER_ASIDE 40 /* bytes of the name of one put aside */

/*
 * Opens the file and brings it to the present schema. create 1: it is made
 * where it is missing. busy_ms: how long to wait for other processes. On error
 * *db is NULL; with -EUCLEAN only it is open, to be put aside, and closed.
 */
int ledger_db_open(const struct state *state, int create, int busy_ms,
		   sqlite3 **db, struct err *err);

/* Runs statements that give no rows. */
int ledger_db_run(sqlite3 *db, const struct state *state, const char *sql,
		  struct err *err);

/* Sets err by the last failure on db and returns its code. */
int ledger_db_error(sqlite3 *db, const struct state *state, struct err *err);

/* Whether the file is no longer the one under its name: put aside by another
 * engine, or removed. */
int ledger_db_has_moved(sqlite3 *db);

/*
 * Gives the corrupt file that db has open, and what belongs to it, another
 * name, told in name: ledger.db.corrupt-SECONDS. Does nothing (name is "")
 * where another engine has done it already. db stays open.
 */
int ledger_db_put_aside(sqlite3 *db, const struct state *state,
			char name[LEDGER_ASIDE], struct err *err);

/* Makes the row of an engine, or finds it when the file is opened again; *id:
 * its number in the file. started_ms: since the epoch. */
int ledger_db_enter(sqlite3 *db, const struct state *state, const char *name,
		    int64_t started_ms, int64_t *id, struct err *err);

/* Removes what is older than the last `keep` rows of each table. */
int ledger_db_prune(sqlite3 *db, const struct state *state, int keep,
		    struct err *err);

/*
 * Marks what dead engines left behind, as ledger_bury() in ledger.h; except
 * says the engine whose rows are its own affair, 0: none.
 */
int ledger_db_bury(sqlite3 *db, const struct state *state, int64_t except,
		   struct err *err);

/* Marks what the engine has not brought to an end, and that it has ended. */
int ledger_db_end_engine(sqlite3 *db, const struct state *state, int64_t id,
			 struct err *err);

#endif
