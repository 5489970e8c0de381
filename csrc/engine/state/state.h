/*
 * state - the state folder: which, whether it can be trusted, what is in it
 *
 *	NAME-PID.sock    control socket of an engine (0600)
 *	NAME-PID.lock    record of an engine; alive while its lock is held
 *	capacity.lock    held for the moment in which capacity is counted
 *	ledger.db        history (SQLite)
 */
#ifndef GC_ENGINE_STATE_STATE_H
#define GC_ENGINE_STATE_STATE_H

#include <limits.h>

#include "base/err.h"

struct state {
	char dir[PATH_MAX]; /* absolute, no trailing slash */
	int dirfd;
};

/*
 * Finds the folder ($GRIDCENTRIC_STATE, else $XDG_RUNTIME_DIR/gridcentric if
 * that is a folder of ours, else /run/gridcentric for root, else
 * /tmp/gridcentric-UID), creates it 0700 where it is missing (not what it lies
 * in), and refuses one that is not ours, is a link, that group or others may
 * write, or that we cannot. The error names the folder and what is wrong.
 * create 0, for readers: a missing folder is -ENOENT, one that cannot be
 * written is taken.
 */
int state_open(struct state *state, int create, struct err *err);
void state_close(struct state *state);

#endif
