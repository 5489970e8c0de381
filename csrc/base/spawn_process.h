/*
 * spawn_process - starts a process that has nothing of this one but what it is
 * given
 *
 * It stands in a process group of its own, so that Ctrl-C is not its affair;
 * no signal is blocked, ignored or caught in it, but one that it may ignore; its
 * stdin is /dev/null, and beside stdout and stderr it has the descriptors named
 * here and no other.
 */
#ifndef GC_BASE_SPAWN_PROCESS_H
#define GC_BASE_SPAWN_PROCESS_H

#include <sys/types.h>

#define SPAWN_MAX_FDS 12

struct spawn {
	const char *file; /* looked up in $PATH where it has no slash */
	char *const *argv;
	char *const *env;    /* NULL: this process's */
	const char *dir;     /* that it starts in; NULL: this process's */
	int ignores_sigpipe; /* where this process does */
	int nfds;
	struct {
		int from, to; /* ours, and its number there */
	} fds[SPAWN_MAX_FDS];
};

/* Returns 0 and fills *pid, or a negated errno, also where file cannot be
 * executed. */
int spawn_process(const struct spawn *spawn, pid_t *pid);

#endif
