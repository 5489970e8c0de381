/* spawn_process - see spawn_process.h */
#include "base/spawn_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#define HIGH 16 /* above the numbers that descriptors get there */

extern char **environ;

/* Own group, and signals as in a fresh process. */
static int set_attributes(posix_spawnattr_t *attr, const struct spawn *spawn)
{
	sigset_t none, all;
	int err;

	sigemptyset(&none);
	sigfillset(&all);
	/* what is not set to its default stays as it is here: ignored */
	if (spawn->ignores_sigpipe)
		sigdelset(&all, SIGPIPE);
	err = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP |
						     POSIX_SPAWN_SETSIGMASK |
						     POSIX_SPAWN_SETSIGDEF);
	if (!err)
		err = posix_spawnattr_setpgroup(attr, 0);
	if (!err)
		err = posix_spawnattr_setsigmask(attr, &none);
	if (!err)
		err = posix_spawnattr_setsigdefault(attr, &all);
	return err;
}

/* high: copies of spawn->fds, none of which is a number to be taken. */
static int set_actions(posix_spawn_file_actions_t *actions,
		       const struct spawn *spawn, const int *high)
{
	int err, i, last = STDERR_FILENO;

	err = posix_spawn_file_actions_addopen(actions, STDIN_FILENO,
					       "/dev/null", O_RDONLY, 0);
	for (i = 0; i < spawn->nfds && !err; i++) {
		err = posix_spawn_file_actions_adddup2(actions, high[i],
						       spawn->fds[i].to);
		if (spawn->fds[i].to > last)
			last = spawn->fds[i].to;
	}
	if (!err)
		err = posix_spawn_file_actions_addclosefrom_np(actions,
							       last + 1);
	if (!err && spawn->dir)
		err = posix_spawn_file_actions_addchdir_np(actions, spawn->dir);
	return err;
}

static int start(const struct spawn *spawn, const int *high, pid_t *pid)
{
	char *const *env = spawn->env ? spawn->env : environ;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int err;

	err = posix_spawnattr_init(&attr);
	if (err)
		return -err;
	err = posix_spawn_file_actions_init(&actions);
	if (err)
		goto out;
	err = set_attributes(&attr, spawn);
	if (!err)
		err = set_actions(&actions, spawn, high);
	if (!err)
		err = posix_spawnp(pid, spawn->file, &actions, &attr,
				   spawn->argv, env);
	posix_spawn_file_actions_destroy(&actions);
out:
	posix_spawnattr_destroy(&attr);
	return -err;
}

int spawn_process(const struct spawn *spawn, pid_t *pid)
{
	int high[SPAWN_MAX_FDS] = { 0 }, i, n, err = 0;

	for (n = 0; n < spawn->nfds && !err; n++) {
		high[n] = fcntl(spawn->fds[n].from, F_DUPFD_CLOEXEC, HIGH);
		if (high[n] < 0)
			err = -errno;
	}
	if (!err)
		err = start(spawn, high, pid);
	for (i = 0; i < n; i++)
		if (high[i] >= 0)
			close(high[i]);
	return err;
}
