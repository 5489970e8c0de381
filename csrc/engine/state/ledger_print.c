/* ledger_print - rows of the ledger as JSON, for readers: see ledger.h */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/state/ledger.h"
#include "engine/state/ledger_db.h"

#define BUSY_MS 1000

/*
 * ?1: name of a service or an engine, or NULL; ?2: how many of the newest, -1:
 * all; ?3: an id, only rows behind it; `where`: more conditions. Behind an id
 * that the file does not have yet is all of it: it is a new file. SQLite does
 * the quoting.
 */
#define QUERY(table, members, where)                                           \
	"SELECT json_object('engine', e.name, " members ")"                    \
	" FROM (SELECT * FROM " table " WHERE (?1 IS NULL OR engine IN"        \
	" (SELECT id FROM engines WHERE name = ?1"                             \
	" OR rtrim(name, '0123456789') = ?1 || '-'))"                          \
	" AND id > CASE WHEN ?3 <= (SELECT max(id) FROM " table ")"            \
	" THEN ?3 ELSE 0 END" where                                            \
	" ORDER BY id DESC LIMIT ?2) t LEFT JOIN engines e ON e.id = t.engine" \
	" ORDER BY t.id"

/* What the details of an event say, NULL: nothing. */
#define DETAIL(name) \
	"CASE WHEN json_valid(json) THEN json_extract(json, '$." name "') END"

#define NUMBER	DETAIL("id")	   /* of a decision */
#define CAME_OF DETAIL("decision") /* number of the one that others follow */

/* ?4: a decision, and what came of it; 0: all decisions; -1: all events. */
#define OF_DECISION                                                       \
	" AND CASE WHEN ?4 < 0 THEN 1 WHEN ?4 = 0 THEN what = 'decision'" \
	" WHEN what = 'decision' THEN " NUMBER " = ?4"                    \
	" ELSE " CAME_OF " = ?4 END"

static const struct {
	const char *table, *query;
} queries[] = {
	{ "tickets", QUERY("tickets",
			   "'uuid', uuid, 'status', status, 'cpus', cpus,"
			   " 'vms', vms, 'mincpuspervm', mincpuspervm,"
			   " 'owner', owner, 'created', created,"
			   " 'changed', changed",
			   "") },
	{ "domains", QUERY("domains",
			   "'vmid', vmid, 'pid', pid, 'state', state,"
			   " 'host', host, 'endpoints', endpoints,"
			   " 'ticket', ticket, 'status', status,"
			   " 'created', created, 'changed', changed",
			   "") },
	{ "events", QUERY("events",
			  "'id', t.id, 'at', at, 'what', what, 'vmid', vmid,"
			  " 'text', text, 'json', CASE WHEN json_valid(json)"
			  " THEN json(json) END",
			  OF_DECISION) },
};

static const char *query_for(const char *table)
{
	size_t i;

	for (i = 0; i < sizeof queries / sizeof queries[0]; i++)
		if (strcmp(queries[i].table, table) == 0)
			return queries[i].query;
	return NULL;
}

/* Prints each row on a line of its own. */
static int print_rows(sqlite3 *db, const struct state *state, const char *query,
		      const struct ledger_filter *filter, struct err *err)
{
	sqlite3_stmt *rows;
	const char *before = "";
	int result, code = 0;

	if (sqlite3_prepare_v2(db, query, -1, &rows, NULL) != SQLITE_OK)
		return ledger_db_error(db, state, err);
	sqlite3_bind_text(rows, 1, filter->name, -1, SQLITE_STATIC);
	sqlite3_bind_int(rows, 2, filter->limit > 0 ? filter->limit : -1);
	sqlite3_bind_int64(rows, 3, filter->after);
	sqlite3_bind_int64(rows, 4, filter->decision);
	while ((result = sqlite3_step(rows)) == SQLITE_ROW) {
		printf("%s\n%s", before, sqlite3_column_text(rows, 0));
		before = ",";
	}
	if (result != SQLITE_DONE)
		code = ledger_db_error(db, state, err);
	sqlite3_finalize(rows);
	return code;
}

int ledger_bury(const struct state *state, struct err *err)
{
	sqlite3 *db;
	int code = ledger_db_open(state, 0, BUSY_MS, &db, err);

	if (!code)
		code = ledger_db_bury(db, state, 0, err);
	sqlite3_close(db);
	return code == -ENOENT ? 0 : code;
}

int ledger_print(const struct state *state, const char *table,
		 const struct ledger_filter *filter, struct err *err)
{
	const char *query = query_for(table);
	sqlite3 *db;
	int code;

	if (!query)
		return err_say(err, -EINVAL, "no table %s in the ledger",
			       table);
	code = ledger_db_open(state, 0, BUSY_MS, &db, err);
	if (code && code != -ENOENT) {
		sqlite3_close(db);
		return code;
	}
	printf("[");
	if (db) {
		/* what cannot be marked now is shown as it is */
		ledger_db_bury(db, state, 0, NULL);
		code = print_rows(db, state, query, filter, err);
	}
	printf("\n]\n");
	sqlite3_close(db);
	if (code == -ENOENT)
		code = 0;
	if (fflush(stdout) != 0 && !code)
		code = err_set(err, -errno, "standard output");
	return code;
}
