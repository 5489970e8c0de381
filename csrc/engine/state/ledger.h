/*
 * ledger - the history of an engine: tickets, domains, events, in SQLite
 *
 * Rows are queued and written by a thread, in one transaction a short time
 * later (LEDGER_DELAY_MS): nothing here waits for a disk, except
 * ledger_close(), which waits for a few seconds at most. Where the disk is
 * slower than the rows come, those beyond LEDGER_MAX_QUEUE are dropped. A
 * ledger that cannot be opened or written (read-only, full, corrupt) is reported
 * once on stderr, and the engine works on without history, trying again now and
 * then. Dropped rows are counted, and an event "ledger gap" stands in their
 * place. A corrupt file is put aside under another name, never deleted.
 *
 * Several engines share one file (WAL), and none waits for another: a stopped
 * one can hold its lock. The rows of an engine that died stay as they were until
 * another one opens the ledger, which marks them: see ledger_bury(). For this,
 * an engine's record must be locked (record.h) from before ledger_open() until
 * after ledger_close().
 *
 * ledger.c: the queue and the thread; ledger_writer.c: what the thread writes;
 * ledger_db.c: the file; ledger_print.c: for readers.
 */
#ifndef GC_ENGINE_STATE_LEDGER_H
#define GC_ENGINE_STATE_LEDGER_H

#include <stdint.h>

#include "base/err.h"
#include "engine/state/state.h"

#define LEDGER_DELAY_MS	 20
#define LEDGER_MAX_QUEUE (8 * 1024 * 1024) /* bytes that wait to be written */
#define LEDGER_KEEP_ROWS 100000 /* of each table; older ones are removed */
#define LEDGER_MAX_TEXT	 16384	/* bytes; longer texts are cut, JSON left out */

struct ledger;

/*
 * Starts the thread, which opens the file. engine is "NAME-PID". Never fails:
 * without a usable file nothing is kept, which is reported; all functions here
 * take NULL, which is returned where there can be no thread.
 */
struct ledger *ledger_open(const struct state *state, const char *engine);

/*
 * Writes what is queued, marks as "lost" what has not come to an end, closes the
 * file and ends the thread. Where the disk does not answer within a few
 * seconds, the thread and its memory are left behind: the process must end soon.
 */
void ledger_close(struct ledger *ledger);

/* Inserts or changes the row of a ticket. */
void ledger_ticket(struct ledger *ledger, const char *uuid, const char *status,
		   int cpus, int vms, int mincpuspervm, int owner_vmid);

/* Inserts or changes the row of a domain. status: a wait status, -1: none. */
void ledger_domain(struct ledger *ledger, int vmid, int pid, const char *state,
		   const char *host, const char *endpoints, const char *ticket,
		   int status);

/* Adds an event. vmid -1: of no domain. json: details, "" for none. */
void ledger_event(struct ledger *ledger, const char *what, int vmid,
		  const char *text, const char *json);

/*
 * Marks what engines without a held lock left behind: tickets that were
 * pending, granted or active become "lost", domains that had not ended too.
 * Done at open, and by ledger_print().
 */
int ledger_bury(const struct state *state, struct err *err);

/* Which rows are printed. */
struct ledger_filter {
	const char *name; /* of a service, or an engine; NULL: of all */
	int limit;	  /* the last so many, 0: all */
	int64_t after;	  /* only rows behind this id */
	int64_t decision; /* events only: this decision and what came of it,
			     0: all decisions, -1: all events */
};

/*
 * Prints rows as one JSON array to stdout, newest last: table is "tickets",
 * "domains" or "events". The members are named as the columns in ledger_db.c;
 * engine is "NAME-PID", times are ms since the epoch, what is not known is
 * null, an event's json is its value. Without a ledger the array is empty.
 */
int ledger_print(const struct state *state, const char *table,
		 const struct ledger_filter *filter, struct err *err);

#endif
