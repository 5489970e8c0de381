/*
 * freezer - stops all programs of the VM for the time of a snapshot
 *
 * By cgroup v2. What the agent started lives in the cgroup "gridcentric".
 * Frozen are all cgroups but the one that the agent is in, those above it, and
 * systemd's own (init.scope): under systemd that is user.slice, and what of
 * system.slice is not the agent's own unit. Processes beside the agent in its
 * own cgroup go on: in an image of ours, these are init and its shell.
 */
#ifndef GC_AGENT_FREEZER_H
#define GC_AGENT_FREEZER_H

#include <sys/types.h>

#include "base/err.h"

#define FREEZER_MAX 256	 /* cgroups frozen at a time */
#define FREEZER_MS  2000 /* until all of them have to be frozen */

/* A cgroup that stands still. */
struct frozen {
	char *path;
	int fd; /* of its cgroup.freeze, for the thaw; -1: it has ended */
};

struct freezer {
	char root[64];	/* where cgroup v2 is mounted; "": nowhere */
	char own[1024]; /* the agent's cgroup below it: "/", "/a/b" */
	int n;
	struct frozen frozen[FREEZER_MAX];
};

/* Finds cgroup v2, or mounts it at /sys/fs/cgroup where nothing is. Returns
 * 0 or a negative code: there can be no snapshot then. */
int freezer_init(struct freezer *freezer, struct err *err);

/*
 * Freezes, and waits until all stand still, blocking; programs may sleep in
 * the kernel for as long as FREEZER_MS. On error nothing is frozen.
 */
int freezer_freeze(struct freezer *freezer, struct err *err);

/* Lets all go on. */
void freezer_thaw(struct freezer *freezer);

/*
 * Around the start of a program: what this process starts between enter and
 * leave is in the programs' cgroup. Returns 0 or a negative code.
 */
int freezer_enter(struct freezer *freezer, struct err *err);
void freezer_leave(struct freezer *freezer);

#endif
