/*
 * ledger - the history of an engine: tickets, domains, events, in SQLite
 *
 * Writes are queued and go out in one transaction a short time later
 * (LEDGER_DELAY_MS), so that no ticket waits for a disk. A ledger that cannot
 * be opened or written (read-only, full, corrupt) is told once on stderr and
 * the engine works on without history, trying again now and then; a corrupt
 * file is put aside under another name, never deleted. Several engines share
 * one file (WAL), and none waits for another: a stopped one can hold its lock.
 *
 * Rows of an engine that died stay as they were; who opens the ledger next
 * marks them: see ledger_bury(). For this, an engine's record must be locked
 * (record.h) from before ledger_open() until after ledger_close().
 *
 * ledger.c: the queue; ledger_db.c: the file; ledger_print.c: for readers.
 */
#ifndef GC_ENGINE_STATE_LEDGER_H
#define GC_ENGINE_STATE_LEDGER_H

#include "base/err.h"
#include "base/loop.h"
#include "engine/state/state.h"

#define LEDGER_DELAY_MS	 20
#define LEDGER_KEEP_ROWS 100000 /* of each table; older ones go */
#define LEDGER_MAX_TEXT	 16384	/* bytes; longer texts are cut, JSON left out */

struct ledger;

/*
 * Never fails: without a usable file it keeps nothing, and says so (NULL, when
 * there is no memory, is good for all functions here). engine is "NAME-PID".
 * The file is opened from the loop, with the first write. state must outlive
 * the ledger.
 */
struct ledger *ledger_open(struct loop *loop, const struct state *state,
			   const char *engine);

/* Writes what is queued, marks what has not been brought to an end as "lost",
 * closes. */
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
