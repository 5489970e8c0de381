/*
 * child - the program that the agent starts
 */
#ifndef GC_AGENT_CHILD_H
#define GC_AGENT_CHILD_H

#include <sys/types.h>

#include "agent/freezer.h"
#include "base/err.h"
#include "base/loop.h"

struct child {
	struct loop_source pidfd;
	pid_t pid; /* 0: it does not run */
	int status;
	void (*ended)(struct child *child); /* status is its wait status */
};

/*
 * Starts argv in the programs' cgroup, or, without cgroup v2, beside the agent.
 * Its environment has HOST=0.0.0.0, and PORT if port is not 0. SIGPIPE is
 * ignored, since a clone's connections end suddenly. `ended` is called once,
 * from the loop. child: zeroed. Returns 0 or a negative code.
 */
int child_start(struct child *child, struct loop *loop, struct freezer *freezer,
		char *const *argv, int port, void (*ended)(struct child *),
		struct err *err);

/* Sends a signal to the program's process group. Harmless if it does not run. */
void child_signal(const struct child *child, int signal);

#endif
