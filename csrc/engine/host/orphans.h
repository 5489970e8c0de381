/*
 * orphans - processes that the engine inherits from others and never started
 *
 * The engine of an outside program is a subreaper, so that clones whose parent
 * ended stay its own and their status is known. What the program started and
 * left behind ("cmd &") comes to it the same way, and would stay a zombie.
 */
#ifndef GC_ENGINE_HOST_ORPHANS_H
#define GC_ENGINE_HOST_ORPHANS_H

#include "base/err.h"
#include "base/loop.h"

struct orphans {
	struct loop *loop;
	struct loop_source sigchld;
	struct loop_timer again; /* one of ours stands before the others */
	/* Whether a child is watched, and reaped by its watcher. */
	int (*is_watched)(const void *owner, int pid);
	const void *owner;
};

/* Makes this process a subreaper and reaps, from the loop, each child that
 * is_watched() does not know. SIGCHLD is blocked from now on. */
int orphans_open(struct orphans *orphans, struct loop *loop, struct err *err);

void orphans_close(struct orphans *orphans);

#endif
