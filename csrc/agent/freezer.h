/*
 * freezer - stops all programs of the VM for the time of a snapshot
 *
 * Uses cgroup v2. The program that the agent started is in the cgroup
 * "gridcentric" below the agent's own: under systemd it stays part of its unit,
 * and ends with it. Frozen are all cgroups except the agent's own, those above
 * it, and systemd's own (init.scope): under systemd that is user.slice, and
 * system.slice except the agent itself. Processes beside the agent in its own
 * cgroup go on: in an image of ours, these are init and its shell.
 */
#ifndef GC_AGENT_FREEZER_H
#define GC_AGENT_FREEZER_H

#include <sys/types.h>

#include "base/err.h"

#define FREEZER_MAX 256	 /* cgroups frozen at a time */
#define FREEZER_MS  2000 /* until all of them have to be frozen */

/* A cgroup that is frozen. */
struct frozen {
	char *path;
	int fd; /* cgroup.freeze, for the thaw; -1: the cgroup has ended */
};

struct freezer {
	char root[64];	/* where cgroup v2 is mounted; "": nowhere */
	char own[1024]; /* the agent's cgroup below it: "/", "/a/b" */
	int n;
	struct frozen frozen[FREEZER_MAX];
};

/* Finds cgroup v2, or mounts it at /sys/fs/cgroup. Returns 0, or a negative
 * code: no snapshot can be made then. */
int freezer_init(struct freezer *freezer, struct err *err);

/*
 * Freezes all programs, and waits until they stand still, which blocks for up to
 * FREEZER_MS: a program may sleep in the kernel. Returns 0, or a negative code:
 * nothing is frozen then.
 */
int freezer_freeze(struct freezer *freezer, struct err *err);

/* Lets all programs go on. Harmless if none is frozen. */
void freezer_thaw(struct freezer *freezer);

/*
 * What this process starts between enter and leave is in the programs' cgroup.
 * enter returns 0 or a negative code.
 */
int freezer_enter(struct freezer *freezer, struct err *err);
void freezer_leave(struct freezer *freezer);

#endif
