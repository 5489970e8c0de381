/* process - see process.h */
#include "base/process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define HIGH 16 /* above every number that a descriptor gets in the child */

extern char **environ;

/* ---- starting ----------------------------------------------------------- */

/* A process group of its own, and signals as a fresh process has them. */
static int set_attributes(posix_spawnattr_t *attr,
			  const struct process_spec *spec)
{
	sigset_t none, all;
	int err;

	sigemptyset(&none);
	sigfillset(&all);
	/* a signal that is not reset keeps its disposition: ignored */
	if (spec->ignores_sigpipe)
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

/* high: copies of spec->fds, out of the way of the numbers given there. */
static int set_actions(posix_spawn_file_actions_t *actions,
		       const struct process_spec *spec, const int *high)
{
	int err, i, last = STDERR_FILENO;

	err = posix_spawn_file_actions_addopen(actions, STDIN_FILENO,
					       "/dev/null", O_RDONLY, 0);
	for (i = 0; i < spec->nfds && !err; i++) {
		assert(spec->fds[i].to > STDIN_FILENO);
		assert(spec->fds[i].to < HIGH);
		err = posix_spawn_file_actions_adddup2(actions, high[i],
						       spec->fds[i].to);
		if (spec->fds[i].to > last)
			last = spec->fds[i].to;
	}
	if (!err)
		err = posix_spawn_file_actions_addclosefrom_np(actions,
							       last + 1);
	if (!err && spec->dir)
		err = posix_spawn_file_actions_addchdir_np(actions, spec->dir);
	return err;
}

static int spawn(const struct process_spec *spec, const int *high, pid_t *pid)
{
	char *const *env = spec->env ? spec->env : environ;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int err;

	err = posix_spawnattr_init(&attr);
	if (err)
		return -err;
	err = posix_spawn_file_actions_init(&actions);
	if (err)
		goto out;
	err = set_attributes(&attr, spec);
	if (!err)
		err = set_actions(&actions, spec, high);
	if (!err)
		err = posix_spawnp(pid, spec->file, &actions, &attr, spec->argv,
				   env);
	posix_spawn_file_actions_destroy(&actions);
out:
	posix_spawnattr_destroy(&attr);
	return -err;
}

int process_start(const struct process_spec *spec, pid_t *pid)
{
	int high[PROCESS_MAX_FDS] = { 0 }, i, n, err = 0;

	assert(spec->file && spec->argv && spec->argv[0]);
	assert(spec->nfds >= 0 && spec->nfds <= PROCESS_MAX_FDS);
	for (n = 0; n < spec->nfds && !err; n++) {
		high[n] = fcntl(spec->fds[n].from, F_DUPFD_CLOEXEC, HIGH);
		if (high[n] < 0)
			err = -errno;
	}
	if (!err)
		err = spawn(spec, high, pid);
	for (i = 0; i < n; i++)
		if (high[i] >= 0)
			close(high[i]);
	return err;
}

/* ---- watching and ending ------------------------------------------------ */

/* System calls, as glibc has no functions for them before 2.36. */

int process_open(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

int process_watch(struct loop_source *source, struct loop *loop, pid_t pid,
		  void (*ready)(struct loop_source *, uint32_t))
{
	int fd = process_open(pid), code;

	if (fd < 0)
		return fd;
	code = loop_add(loop, source, fd, EPOLLIN, ready);
	if (code)
		close(fd);
	return code;
}

int process_signal(int pidfd, int signal)
{
	long failed = syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);

	return failed ? -errno : 0;
}

int process_reap(int pidfd, int *status)
{
	siginfo_t info;

	memset(&info, 0, sizeof info);
	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0)
		return -errno;
	if (!info.si_pid)
		return 0;
	if (info.si_code == CLD_EXITED)
		*status = W_EXITCODE(info.si_status, 0);
	else
		*status = info.si_status |
			  (info.si_code == CLD_DUMPED ? WCOREFLAG : 0);
	return 1;
}

void process_destroy(pid_t pid)
{
	assert(pid > 1); /* 0 and below are groups */
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
