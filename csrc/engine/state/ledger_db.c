/* ledger_db - see ledger_db.h */
#include "engine/state/ledger_db.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/state/record.h"

#define VERSION 1 /* of the schema; PRAGMA user_version */

/* Names of engines come back with process numbers, so that rows belong to an
 * id. Times in ms since the epoch. */
static const char schema[] =
	"CREATE TABLE engines(id INTEGER PRIMARY KEY, name TEXT NOT NULL,"
	" started INTEGER NOT NULL, ended INTEGER,"
	" UNIQUE(name, started));"
	"CREATE INDEX engines_alive ON engines(name) WHERE ended IS NULL;"
	"CREATE TABLE tickets(id INTEGER PRIMARY KEY,"
	" engine INTEGER NOT NULL, uuid TEXT NOT NULL, status TEXT NOT NULL,"
	" cpus INTEGER, vms INTEGER, mincpuspervm INTEGER, owner INTEGER,"
	" created INTEGER NOT NULL, changed INTEGER NOT NULL,"
	" UNIQUE(engine, uuid));"
	"CREATE TABLE domains(id INTEGER PRIMARY KEY,"
	" engine INTEGER NOT NULL, vmid INTEGER NOT NULL, pid INTEGER,"
	" state TEXT NOT NULL, host TEXT, endpoints TEXT, ticket TEXT,"
	" status INTEGER, created INTEGER NOT NULL,"
	" changed INTEGER NOT NULL, UNIQUE(engine, vmid));"
	"CREATE TABLE events(id INTEGER PRIMARY KEY,"
	" engine INTEGER NOT NULL, at INTEGER NOT NULL, what TEXT NOT NULL,"
	" vmid INTEGER, text TEXT, json TEXT);"
	"PRAGMA user_version = 1;";

/* ---- errors ------------------------------------------------------------- */

static int code_of(int result)
{
	switch (result & 0xff) {
	case SQLITE_OK: return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return -EAGAIN;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return -EUCLEAN;
	case SQLITE_FULL: return -ENOSPC;
	case SQLITE_READONLY: return -EROFS;
	case SQLITE_NOMEM: return -ENOMEM;
	case SQLITE_PERM:
	case SQLITE_AUTH: return -EACCES;
	default: return -EIO;
	}
}

int ledger_db_error(sqlite3 *db, const struct state *state, struct err *err)
{
	int code = code_of(sqlite3_extended_errcode(db));
	int system = sqlite3_system_errno(db);

	/* SQLite's text for what the system refused says nothing */
	if (code == -EIO && system)
		return err_say(err, code, "%s/" LEDGER_FILE ": %s: %s",
			       state->dir, sqlite3_errmsg(db),
			       err_text(-system));
	return err_say(err, code ? code : -EIO, "%s/" LEDGER_FILE ": %s",
		       state->dir, sqlite3_errmsg(db));
}

int ledger_db_run(sqlite3 *db, const struct state *state, const char *sql,
		  struct err *err)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return ledger_db_error(db, state, err);
	return 0;
}

/* ---- a corrupt file ----------------------------------------------------- */

int ledger_db_has_moved(sqlite3 *db)
{
	int moved = 0;

	sqlite3_file_control(db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	return moved;
}

/* Renames ledger.db and the files that SQLite keeps beside it: a new one must
 * not be given the log of the old one. */
static int rename_files(const struct state *state, const char *to,
			struct err *err)
{
	static const char *const parts[] = { "", "-wal", "-shm" };
	char from_part[64], to_part[64];
	size_t i;

	for (i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		snprintf(from_part, sizeof from_part, LEDGER_FILE "%s",
			 parts[i]);
		snprintf(to_part, sizeof to_part, "%s%s", to, parts[i]);
		if (renameat2(state->dirfd, from_part, state->dirfd, to_part,
			      RENAME_NOREPLACE) < 0 &&
		    (errno != ENOENT || i == 0))
			return err_set(err, -errno, "%s/%s: put aside as %s",
				       state->dir, from_part, to_part);
	}
	return 0;
}

/*
 * Locks the folder: shared, to open the file; exclusive, to rename it with all
 * that belongs to it. Never waits for longer than busy_ms, as a process can be
 * stopped while it holds it.
 */
static int lock_folder(const struct state *state, int how, int busy_ms,
		       struct err *err)
{
	static const struct timespec step = { .tv_nsec = 10 * 1000000 };

	for (; flock(state->dirfd, how | LOCK_NB) < 0; busy_ms -= 10) {
		if (errno != EWOULDBLOCK || busy_ms <= 0)
			return err_set(err, -errno, "%s", state->dir);
		nanosleep(&step, NULL);
	}
	return 0;
}

static void unlock_folder(const struct state *state)
{
	flock(state->dirfd, LOCK_UN);
}

int ledger_db_put_aside(sqlite3 *db, const struct state *state,
			char name[LEDGER_ASIDE], struct err *err)
{
	int code = lock_folder(state, LOCK_EX, 0, err);

	if (code)
		return code;
	snprintf(name, LEDGER_ASIDE, LEDGER_FILE ".corrupt-%" PRId64,
		 clock_wall_ms() / 1000);
	/* of two that find the same file corrupt, one must not put aside the
	 * new one of the other */
	if (ledger_db_has_moved(db))
		name[0] = '\0';
	else
		code = rename_files(state, name, err);
	unlock_folder(state);
	return code;
}

/* ---- opening ------------------------------------------------------------ */

/* Makes an empty file that only we can read, before SQLite does otherwise. */
static int make_file(const struct state *state, struct err *err)
{
	int fd = openat(state->dirfd, LEDGER_FILE,
			O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set(err, -errno, "%s/" LEDGER_FILE, state->dir);
	close(fd);
	return 0;
}

/* The first number of the first row of a query; -1: it failed. */
static int64_t query_number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *query;
	int64_t number = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &query, NULL) == SQLITE_OK &&
	    sqlite3_step(query) == SQLITE_ROW)
		number = sqlite3_column_int64(query, 0);
	sqlite3_finalize(query);
	return number;
}

/* Makes the tables where the file is new. */
static int bring_up(sqlite3 *db, const struct state *state, struct err *err)
{
	int64_t version;
	int code;

	code = ledger_db_run(db, state, "BEGIN IMMEDIATE", err);
	if (code)
		return code;
	version = query_number(db, "PRAGMA user_version");
	if (version == 0)
		code = ledger_db_run(db, state, schema, err);
	if (version > VERSION)
		code = err_say(err, -EPROTO,
			       "%s/" LEDGER_FILE ": written by a newer version "
			       "of this program",
			       state->dir);
	if (!code)
		code = ledger_db_run(db, state, "COMMIT", err);
	if (code)
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return code;
}

/* Opens what is there. *db can be set on error too, to be closed. */
static int open_file(const struct state *state, int busy_ms, sqlite3 **db,
		     struct err *err)
{
	char path[PATH_MAX + sizeof LEDGER_FILE];
	int64_t version;
	int code;

	snprintf(path, sizeof path, "%s/" LEDGER_FILE, state->dir);
	if (sqlite3_open_v2(path, db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK) {
		if (*db)
			return ledger_db_error(*db, state, err);
		return err_set(err, -ENOMEM, "%s", path);
	}
	sqlite3_busy_timeout(*db, busy_ms);
	/* NORMAL: syncs at checkpoints only; a crash of the machine may cost
	 * the last rows, never the file */
	code = ledger_db_run(*db, state,
			     "PRAGMA journal_mode = WAL;"
			     "PRAGMA synchronous = NORMAL",
			     err);
	if (code)
		return code;
	version = query_number(*db, "PRAGMA user_version");
	if (version < 0)
		return ledger_db_error(*db, state, err);
	return version == VERSION ? 0 : bring_up(*db, state, err);
}

int ledger_db_open(const struct state *state, int create, int busy_ms,
		   sqlite3 **db, struct err *err)
{
	int code = lock_folder(state, LOCK_SH, busy_ms, err);

	*db = NULL;
	if (code)
		return code;
	if (create)
		code = make_file(state, err);
	else if (faccessat(state->dirfd, LEDGER_FILE, F_OK, 0) < 0)
		code = err_set(err, -errno, "%s/" LEDGER_FILE, state->dir);
	if (!code)
		code = open_file(state, busy_ms, db, err);
	unlock_folder(state);
	if (code && code != -EUCLEAN) {
		sqlite3_close(*db);
		*db = NULL;
	}
	return code;
}

/* ---- rows --------------------------------------------------------------- */

int ledger_db_enter(sqlite3 *db, const struct state *state, const char *name,
		    int64_t started_ms, int64_t *id, struct err *err)
{
	static const char sql[] =
		"INSERT INTO engines(name, started) VALUES(?1, ?2)"
		" ON CONFLICT(name, started) DO UPDATE SET ended = NULL"
		" RETURNING id";
	sqlite3_stmt *insert;
	int code = 0;

	if (sqlite3_prepare_v2(db, sql, -1, &insert, NULL) != SQLITE_OK)
		return ledger_db_error(db, state, err);
	sqlite3_bind_text(insert, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(insert, 2, started_ms);
	if (sqlite3_step(insert) == SQLITE_ROW)
		*id = sqlite3_column_int64(insert, 0);
	/* it is committed here, or fails */
	if (sqlite3_reset(insert) != SQLITE_OK)
		code = ledger_db_error(db, state, err);
	sqlite3_finalize(insert);
	return code;
}

int ledger_db_prune(sqlite3 *db, const struct state *state, int keep,
		    struct err *err)
{
	static const char *const tables[] = { "tickets", "domains", "events",
					      "engines" };
	char sql[256];
	size_t i;
	int code = 0;

	for (i = 0; i < sizeof tables / sizeof tables[0] && !code; i++) {
		snprintf(sql, sizeof sql,
			 "DELETE FROM %s WHERE id <="
			 " (SELECT max(id) FROM %s) - %d",
			 tables[i], tables[i], keep);
		code = ledger_db_run(db, state, sql, err);
	}
	return code;
}

/* ---- the dead ----------------------------------------------------------- */

int ledger_db_end_engine(sqlite3 *db, const struct state *state, int64_t id,
			 struct err *err)
{
	static const char format[] =
		"UPDATE tickets SET status = 'lost', changed = %lld"
		" WHERE engine = %lld AND status IN"
		" ('pending', 'granted', 'active');"
		"UPDATE domains SET state = 'lost', changed = %lld"
		" WHERE engine = %lld AND state NOT IN ('ended', 'lost');"
		"UPDATE engines SET ended = %lld WHERE id = %lld;";
	long long now = clock_wall_ms(), engine = id;
	char *sql;
	int code;

	sql = sqlite3_mprintf(format, now, engine, now, engine, now, engine);
	if (!sql)
		return err_set(err, -ENOMEM, "%s/" LEDGER_FILE, state->dir);
	code = ledger_db_run(db, state, sql, err);
	sqlite3_free(sql);
	return code;
}

/* Fills ids with engines that did not end and do not live. Returns their
 * number, or a negated errno. */
static int find_dead(sqlite3 *db, const struct state *state, int64_t except,
		     int64_t *ids, int max, struct err *err)
{
	sqlite3_stmt *query;
	int n = 0, result;

	if (sqlite3_prepare_v2(db,
			       "SELECT id, name, name = (SELECT name FROM"
			       " engines WHERE id = ?1) FROM engines"
			       " WHERE ended IS NULL AND id != ?1",
			       -1, &query, NULL) != SQLITE_OK)
		return ledger_db_error(db, state, err);
	sqlite3_bind_int64(query, 1, except);
	while ((result = sqlite3_step(query)) == SQLITE_ROW && n < max) {
		const char *name = (const char *)sqlite3_column_text(query, 1);

		/* the number of a dead one can have come back as ours */
		if (sqlite3_column_int(query, 2) ||
		    record_lives(state->dirfd, name) == 0)
			ids[n++] = sqlite3_column_int64(query, 0);
	}
	if (result != SQLITE_ROW && result != SQLITE_DONE)
		n = ledger_db_error(db, state, err);
	sqlite3_finalize(query);
	return n;
}

int ledger_db_bury(sqlite3 *db, const struct state *state, int64_t except,
		   struct err *err)
{
	int64_t ids[64];
	int i, n, code;

	do {
		n = find_dead(db, state, except, ids, 64, err);
		if (n <= 0)
			return n;
		code = ledger_db_run(db, state, "BEGIN IMMEDIATE", err);
		for (i = 0; i < n && !code; i++)
			code = ledger_db_end_engine(db, state, ids[i], err);
		if (!code)
			code = ledger_db_run(db, state, "COMMIT", err);
		if (code)
			sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	} while (!code && n == 64);
	return code;
}
