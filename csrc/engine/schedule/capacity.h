/*
 * capacity - the CPUs and memory that the engines of one state folder share
 *
 * What each engine holds stands in its record (record.h); what is free is what
 * the machine has less all records of living engines. Nothing else is kept, so
 * that there is nothing to repair when an engine dies. To count and take
 * without a race, an engine holds capacity.lock for that moment:
 *
 *	err = capacity_lock(&capacity);
 *	if (err)
 *		try again soon: -EAGAIN, another engine has it
 *	err = capacity_count(&capacity, since_ns, &count);
 *	if (!err && count.others leaves enough)
 *		err = capacity_write(&capacity, &what_we_hold_from_now_on);
 *	capacity_unlock(&capacity);
 *
 * No engine waits for the lock, since an engine that was stopped may hold it.
 * Records are written under the lock only.
 *
 * Requests are served in the order in which they came, also across engines:
 * a record tells since when its engine waits, and an engine whose request came
 * later leaves what is free to it. A waiting engine writes its record again
 * every CAPACITY_BEAT_MS, so that one that was stopped holds up the others for
 * CAPACITY_STALE_MS only.
 */
#ifndef GC_ENGINE_SCHEDULE_CAPACITY_H
#define GC_ENGINE_SCHEDULE_CAPACITY_H

#include <dirent.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "engine/state/record.h"
#include "engine/state/state.h"

#define CAPACITY_LOCK	  "capacity.lock"
#define CAPACITY_BEAT_MS  1000 /* a waiting engine says that it is there */
#define CAPACITY_STALE_MS 3000 /* and is passed over when it did not */

struct capacity {
	const struct state *state;
	DIR *dir;   /* its folder, to list the records */
	int lock;   /* capacity.lock */
	int record; /* ours, locked */
	char engine[NAME_MAX];
	char file[NAME_MAX + 1];  /* the record's name */
	struct loop_source watch; /* inotify, while somebody waits */
	void (*changed)(struct capacity *capacity);
	struct record written; /* what our record says */
};

/* What a count has found. */
struct capacity_count {
	int64_t others; /* CPUs that other engines hold, or have reserved */
	int64_t memory; /* bytes that other engines have promised */
	int older;	/* other engines that wait for longer than since_ns */
};

/* Opens capacity.lock and makes the engine's record. The state stays open
 * until capacity_close(). */
int capacity_open(struct capacity *capacity, const struct state *state,
		  const char *engine, struct err *err);

/* Removes the record: what it held is free at once. Not from inside a turn. */
void capacity_close(struct capacity *capacity);

/* Takes the lock: 0, -EAGAIN where another engine has it, or a negated errno;
 * drops it. */
int capacity_lock(struct capacity *capacity);
void capacity_unlock(struct capacity *capacity);

/*
 * Counts, and removes the records of dead engines. since_ns: when the request
 * came that this is for. The lock must be held. Negated errno where a record
 * cannot be read: nothing may be taken then.
 */
int capacity_count(struct capacity *capacity, int64_t since_ns,
		   struct capacity_count *count);

/*
 * Writes what this engine holds and since when it waits, unless the record says
 * so already; seen_ns is filled in. The lock must be held.
 */
int capacity_write(struct capacity *capacity, const struct record *record);

/*
 * Calls `changed` from the loop when another engine has written its record,
 * or ended: just before its lock is dropped in that case, so that one has to
 * look again shortly after. Returns 1 when watching has just begun (what
 * happened before that is not told), 0 when it went on, or a negated errno.
 */
int capacity_watch(struct capacity *capacity, struct loop *loop,
		   void (*changed)(struct capacity *));

/* Stops that; harmless when nothing is watched. */
void capacity_unwatch(struct capacity *capacity);

#endif
