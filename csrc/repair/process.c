/* repair/process - what repair.h does besides descriptors: signals, random
 * numbers, buffered output, the lifeline */
#include "repair/repair.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

static int is_default(int signal_number)
{
	struct sigaction now;

	return sigaction(signal_number, NULL, &now) == 0 &&
	       now.sa_handler == SIG_DFL;
}

static void do_nothing(int signal_number)
{
	(void)signal_number;
}

void repair_catch_sigpipe(void)
{
	/* not SIG_IGN, which programs would inherit that this one starts */
	const struct sigaction caught = { .sa_handler = do_nothing,
					  .sa_flags = SA_RESTART };

	if (is_default(SIGPIPE))
		sigaction(SIGPIPE, &caught, NULL);
}

/* A clone is in the background of the master's terminal, which would stop it
 * for touching that. */
static void ignore_terminal(void)
{
	if (is_default(SIGTTIN))
		signal(SIGTTIN, SIG_IGN);
	if (is_default(SIGTTOU))
		signal(SIGTTOU, SIG_IGN);
}

static void reseed(void)
{
	unsigned seeds[3];

	if (getrandom(seeds, sizeof seeds, GRND_NONBLOCK) == sizeof seeds) {
		srand(seeds[0]);
		srandom(seeds[1]);
		srand48((long)seeds[2]);
	}
}

void repair_process(void)
{
	repair_catch_sigpipe();
	ignore_terminal();
	reseed();
}

void repair_in_vm(void)
{
	repair_catch_sigpipe();
	reseed();
}

/* glibc's list of all streams and its lock; other C libraries have none. */
extern FILE *_IO_list_all __attribute__((weak));
extern void _IO_list_lock(void) __attribute__((weak));
extern void _IO_list_unlock(void) __attribute__((weak));

static void flush_unlocked(FILE *file)
{
	if (ftrylockfile(file))
		return;
	if (__fpending(file) > 0)
		fflush_unlocked(file);
	funlockfile(file);
}

void repair_flush_stdio(void)
{
	FILE *file;

	if (!&_IO_list_all || !_IO_list_lock || !_IO_list_unlock) {
		flush_unlocked(stdout);
		flush_unlocked(stderr);
		return;
	}
	_IO_list_lock();
	for (file = _IO_list_all; file; file = file->_chain)
		flush_unlocked(file);
	_IO_list_unlock();
}

int repair_arm_lifeline(int pipe_fd, struct err *err)
{
	assert(pipe_fd >= 0);
	if (fcntl(pipe_fd, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(pipe_fd, F_SETSIG, SIGKILL) < 0 ||
	    fcntl(pipe_fd, F_SETOWN, getpid()) < 0 ||
	    fcntl(pipe_fd, F_SETFL, O_ASYNC | O_NONBLOCK) < 0)
		return err_set(err, -errno, "lifeline");
	return 0;
}
