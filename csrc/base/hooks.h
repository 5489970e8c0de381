/*
 * hooks - runs pre-clone and post-clone, programs of the administrator, for
 * the engine and, in a VM, for the agent
 *
 * Run by posix_spawn, without a shell, in a process group of their own, with
 * stdin from /dev/null, signals as a fresh program has them, a time limit
 * after which the group is killed, and their output kept (its last bytes: what
 * went wrong stands at the end). They are reaped by pidfd, so no event
 * loop of a program can disturb them. A hook is over when its process ended;
 * a child that it left in the background is neither waited for nor killed.
 *
 * Who runs them must not ignore SIGCHLD: the kernel would drop the exit status.
 */
#ifndef GC_BASE_HOOKS_H
#define GC_BASE_HOOKS_H

#include <limits.h>

#include "base/err.h"
#include "base/loop.h"

#define HOOK_OUTPUT 2048 /* bytes kept */

struct hooks {
	struct loop *loop;
	char dir[PATH_MAX]; /* /etc/gridcentric or $GRIDCENTRIC_HOOKS */
	int timeout_ms;	    /* 10 s, or $GRIDCENTRIC_HOOK_TIMEOUT in s */
};

struct hook_run {
	struct loop_source pidfd, output;
	struct loop_timer timer;
	const char *name; /* the caller's, or a literal */
	int pid;
	int limit_ms;  /* of time */
	int timed_out; /* it was killed for that */
	int status;    /* wait status once it has ended; -1: unknown */
	size_t len;    /* of text */
	char text[HOOK_OUTPUT + 1]; /* what it printed; no control bytes but
				     * tabs and line ends */
	/* err code 0: exit status 0. Otherwise err tells what went wrong, in
	 * words: "pre-clone: exit status 3: <last line of output>",
	 * "pre-clone: killed after 10 s", "pre-clone: killed by SIGSEGV". */
	void (*done)(struct hook_run *run, struct err *err);
	void *owner;
};

/* Reads the environment; a value that makes no sense is told on stderr. */
void hooks_init(struct hooks *hooks, struct loop *loop);

/* True when dir/name exists, be it executable or not, and also where that
 * cannot be known: a hook is not skipped because its folder is closed. */
int hook_exists(const struct hooks *hooks, const char *name);

/*
 * Starts dir/name with GC_VMID, GC_TICKET and GC_ADDRESS in its environment.
 * Returns NULL where it cannot be started, with err set (GC_EHOOK, "pre-clone:
 * not executable"); else `done` is called once, later, from the loop, and run
 * is freed after it. name must stay as long as the run.
 */
struct hook_run *hook_start(struct hooks *hooks, const char *name, int vmid,
			    const char *ticket, const char *address,
			    void (*done)(struct hook_run *, struct err *),
			    void *owner, struct err *err);

/* Kills the hook's group; `done` will not be called. */
void hook_cancel(struct hook_run *run);

#endif
