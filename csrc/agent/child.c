/* child - see child.h */
#include "agent/child.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/process.h"

static void on_exit_seen(struct loop_source *source, uint32_t events)
{
	struct child *child = container_of(source, struct child, pidfd);
	int got = process_reap(source->fd, &child->status);

	if (!got)
		return;
	if (got < 0)
		child->status = -1;
	child->pid = 0;
	loop_close(source, NULL);
	child->ended(child);
}

static int spawn(struct child *child, char *const *argv)
{
	struct process_spec spec = { .file = argv[0],
				     .argv = argv,
				     .ignores_sigpipe = 1,
				     .nfds = 2,
				     .fds = { { STDOUT_FILENO, STDOUT_FILENO },
					      { STDERR_FILENO,
						STDERR_FILENO } } };

	return process_start(&spec, &child->pid);
}

int child_start(struct child *child, struct loop *loop, struct freezer *freezer,
		char *const *argv, int port, void (*ended)(struct child *),
		struct err *err)
{
	struct err ignored;
	int code, inside = !freezer_enter(freezer, &ignored);
	char text[16];

	snprintf(text, sizeof text, "%d", port);
	if (port)
		setenv("PORT", text, 1);
	/* a program that listens on loopback is not reached from outside */
	setenv("HOST", "0.0.0.0", 0);
	code = spawn(child, argv);
	if (inside)
		freezer_leave(freezer);
	if (code)
		return err_set(err, code, "%s", argv[0]);
	assert(child->pid > 0 && ended);
	child->ended = ended;
	code = process_watch(&child->pidfd, loop, child->pid, on_exit_seen);
	return code ? err_set(err, code, "watching %s", argv[0]) : 0;
}

void child_signal(const struct child *child, int number)
{
	if (child->pid > 0)
		kill(-child->pid, number);
}
