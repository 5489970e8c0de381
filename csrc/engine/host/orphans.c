/* orphans - see orphans.h */
#include "engine/host/orphans.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define AGAIN_MS 10

static void on_again(struct loop_timer *timer);

/* The kernel names the first child that has ended. If that is one of ours, it is
 * left to whoever watches it, and the others wait until it is reaped. */
static void reap(struct orphans *orphans)
{
	siginfo_t child;

	for (;;) {
		memset(&child, 0, sizeof child);
		if (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    !child.si_pid)
			return;
		if (orphans->is_watched(orphans->owner, child.si_pid))
			break;
		waitpid(child.si_pid, NULL, 0);
	}
	loop_timer_start(orphans->loop, &orphans->again, AGAIN_MS, on_again);
}

static void on_again(struct loop_timer *timer)
{
	reap(container_of(timer, struct orphans, again));
}

static void on_sigchld(struct loop_source *source, uint32_t events)
{
	struct signalfd_siginfo info;

	while (read(source->fd, &info, sizeof info) == sizeof info)
		;
	reap(container_of(source, struct orphans, sigchld));
}

int orphans_open(struct orphans *orphans, struct loop *loop, struct err *err)
{
	sigset_t set;
	int fd, code;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	code = fd < 0 ? -errno
		      : loop_add(loop, &orphans->sigchld, fd, EPOLLIN,
				 on_sigchld);
	if (code) {
		if (fd >= 0)
			close(fd);
		return err_set(err, code, "SIGCHLD");
	}
	orphans->loop = loop;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return 0;
}

void orphans_close(struct orphans *orphans)
{
	loop_timer_stop(&orphans->again);
	loop_close(&orphans->sigchld, NULL);
}
