/*
 * process - starts child processes, watches them and takes their exit status
 *
 *	process_start(&spec, &pid);
 *	process_watch(&source, &loop, pid, on_exit);
 *	...
 *	on_exit: if (process_reap(source->fd, &status)) ...
 *
 * Processes are watched and reaped by pidfd, never by waitpid(-1) or SIGCHLD:
 * the program that this code is loaded into may have children of its own.
 * Every function returns 0 or a negated errno unless it says otherwise.
 */
#ifndef GC_BASE_PROCESS_H
#define GC_BASE_PROCESS_H

#include <sys/types.h>

#include "base/loop.h"

#define PROCESS_MAX_FDS 12

/*
 * What to start. The process inherits nothing that is not named here: it is in
 * a process group of its own (Ctrl-C in a terminal does not reach it), no
 * signal is blocked, ignored or caught, stdin is /dev/null, and it has stdout,
 * stderr and the descriptors of fds only.
 */
struct process_spec {
	const char *file; /* looked up in $PATH if it has no slash */
	char *const *argv;
	char *const *env;    /* NULL: the caller's environment */
	const char *dir;     /* working directory; NULL: the caller's */
	int ignores_sigpipe; /* SIGPIPE stays ignored if the caller ignores it */
	int nfds;
	struct {
		int from, to; /* the caller's descriptor, its number there */
	} fds[PROCESS_MAX_FDS];
};

/* Starts the process and fills *pid. Fails also where the file cannot be
 * executed. */
int process_start(const struct process_spec *spec, pid_t *pid);

/* Returns a pidfd for pid (CLOEXEC), or a negated errno. */
int process_open(pid_t pid);

/*
 * Calls `ready` from the loop when the process has ended. The source must be
 * zeroed or formerly closed, as for loop_add(); its descriptor is the pidfd.
 */
int process_watch(struct loop_source *source, struct loop *loop, pid_t pid,
		  void (*ready)(struct loop_source *, uint32_t));

/* Sends a signal to the process behind a pidfd, which cannot be another one
 * that got the same number. */
int process_signal(int pidfd, int signal);

/*
 * Takes the exit status of the child behind pidfd, without waiting. Returns 1
 * if it has ended: it is reaped, and *status is its wait status, for WIFEXITED()
 * and the like. Returns 0 while it runs; -ECHILD if it is no child of this
 * process, or was reaped already.
 */
int process_reap(int pidfd, int *status);

/* Kills a child (SIGKILL) and waits until it is reaped: for one that cannot be
 * watched. */
void process_destroy(pid_t pid);

#endif
