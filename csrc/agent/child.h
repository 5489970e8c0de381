/*
 * child - the program that the agent starts: what the VM is there for
 */
#ifndef GC_AGENT_CHILD_H
#define GC_AGENT_CHILD_H

#include <sys/types.h>

#include "agent/freezer.h"
#include "base/err.h"
#include "base/loop.h"

struct child {
	struct loop_source pidfd;
	pid_t pid; /* 0: not started, or ended */
	int status;
	void (*ended)(struct child *child); /* its wait status is there */
};

/*
 * Starts argv in the programs' cgroup (where there is none, beside the agent),
 * with PORT in its environment where port is not 0, and HOST, 0.0.0.0; SIGPIPE
 * is ignored, since a clone's connections end suddenly. `ended` is called once,
 * from the loop. child: zeroed. Returns 0 or a negative code.
 */
int child_start(struct child *child, struct loop *loop, struct freezer *freezer,
		char *const *argv, int port, void (*ended)(struct child *),
		struct err *err);

/* Sends a signal to its process group; harmless when it does not run. */
void child_signal(const struct child *child, int signal);

#endif
