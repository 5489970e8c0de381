/* repair - the acting of repair.h, in the child; the looking: repair/plan.c */
#include "repair/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int has(const int *fds, int n, int fd)
{
	while (n > 0 && fds[n - 1] != fd)
		n--;
	return n > 0;
}

/* Closes the host-only descriptors but those in keep, run by run. */
static void close_host_only(const struct repair_plan *plan, const int *keep,
			    int nkeep)
{
	const int *fd = plan->host_only, *end = fd + plan->nhost_only;

	while (fd < end) {
		int first = *fd++, last = first;

		if (has(keep, nkeep, first))
			continue;
		while (fd < end && *fd == last + 1 && !has(keep, nkeep, *fd))
			last = *fd++;
		close_range((unsigned)first, (unsigned)last, 0);
	}
}

/* The connection from this port that waits to be accepted. */
static int accept_from(int listener, in_port_t port)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof peer;
	int fd;

	for (;;) {
		fd = accept4(listener, (struct sockaddr *)&peer, &len,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (peer.sin_port == port)
			return fd;
		close(fd); /* somebody on this host who tries all ports */
	}
}

/* A TCP connection whose other side is closed (CLOSE_WAIT). */
static int dead_end(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof addr;
	int listener, near, far;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || near < 0 ||
	    bind(listener, (struct sockaddr *)&addr, len) < 0 ||
	    listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&addr, &len) < 0 ||
	    connect(near, (struct sockaddr *)&addr, len) < 0 ||
	    getsockname(near, (struct sockaddr *)&addr, &len) < 0)
		far = -errno;
	else
		far = accept_from(listener, addr.sin_port);
	if (listener >= 0)
		close(listener);
	if (near >= 0)
		close(near);
	return far;
}

/* A socket of the kind that listens where nobody knows. */
static int inert_listener(int family)
{
	struct sockaddr self = { .sa_family = AF_UNIX };
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	/* unbound: the kernel gives it a port, or an abstract name */
	if ((family == AF_UNIX && bind(fd, &self, sizeof self.sa_family) < 0) ||
	    listen(fd, 1) < 0)
		err = -errno;
	if (err)
		close(fd);
	return err ? err : fd;
}

static int fresh_socket(int family, int type)
{
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

/* Puts `from` under the number `to`, as descriptors of this project are. */
static int put(int from, int to)
{
	if (dup3(from, to, O_CLOEXEC) >= 0)
		return 0;
	/* it was opened when the limit was higher */
	return errno == EBADF ? -EMFILE : -errno;
}

/* The engine's socket for the item, or -1. */
static int find_own(const struct repair_item *item,
		    const struct repair_listener *own, int nown)
{
	int i;

	for (i = 0; i < nown; i++)
		if (own[i].family == item->family &&
		    own[i].type == item->type && own[i].port == item->port)
			return own[i].fd;
	return -1;
}

static int apply_socket(const struct repair_item *item,
			const struct repair_listener *own, int nown)
{
	int fd, err, mine = find_own(item, own, nown);

	if (item->action == REPAIR_LISTENER && mine >= 0)
		return put(mine, item->fd);
	if (item->action == REPAIR_FRESH || item->type == SOCK_DGRAM)
		fd = fresh_socket(item->family, item->type);
	else
		fd = inert_listener(item->family);
	if (fd < 0)
		return fd;
	err = put(fd, item->fd);
	close(fd);
	return err;
}

/* A new pipe for all descriptors of the old one, from items[i] on. */
static int apply_pipe(struct repair_plan *plan, int i)
{
	ino_t inode = plan->items[i].inode;
	int ends[2], err = 0;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	for (; i < plan->nitems && !err; i++) {
		struct repair_item *item = &plan->items[i];

		if (item->inode != inode)
			continue;
		/* flags are the file's, not the descriptor's: keep them */
		fcntl(ends[item->writes], F_SETFL, fcntl(item->fd, F_GETFL));
		err = put(ends[item->writes], item->fd);
		item->inode = 0; /* done */
	}
	close(ends[0]);
	close(ends[1]);
	return err;
}

/* libuv renews a pipe of its own in every fork: that one is sound already. */
static int was_renewed(const struct repair_item *item)
{
	struct stat st;

	return fstat(item->fd, &st) < 0 || st.st_ino != item->inode;
}

static int apply_items(struct repair_plan *plan,
		       const struct repair_listener *own, int nown)
{
	int i, dead = -1, err = 0;

	for (i = 0; i < plan->nitems && !err; i++) {
		struct repair_item *item = &plan->items[i];

		if (item->action == REPAIR_PIPE) {
			if (item->inode && !was_renewed(item))
				err = apply_pipe(plan, i);
		} else if (item->action == REPAIR_DEAD) {
			if (dead < 0)
				dead = dead_end();
			err = dead < 0 ? dead : put(dead, item->fd);
		} else {
			err = apply_socket(item, own, nown);
		}
	}
	if (dead >= 0)
		close(dead);
	return err;
}

/*
 * The program's event loop may watch a pipe or socket, and in its new epoll
 * set /dev/null, which cannot be watched, would make it abort: the dead end
 * is at its end as well.
 */
static int replace_stdin(void)
{
	struct stat st;
	int watchable = fstat(STDIN_FILENO, &st) == 0 &&
			(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
	int fd = watchable ? dead_end() : open("/dev/null", O_RDONLY);
	int err = fd >= 0 ? 0 : watchable ? fd : -errno;

	if (!err && dup2(fd, STDIN_FILENO) < 0)
		err = -errno;
	if (fd > STDERR_FILENO)
		close(fd);
	return err;
}

void repair_ignore_sigpipe(void)
{
	struct sigaction now;

	if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
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

int repair_apply(struct repair_plan *plan, const struct repair_listener *own,
		 int nown, const int *keep, int nkeep, struct err *err)
{
	int i, code;

	setpgid(0, 0);
	close_host_only(plan, keep, nkeep);
	code = apply_items(plan, own, nown);
	if (!code)
		code = replace_stdin();
	if (code)
		return err_set(err, code, "replacing descriptors");
	for (i = 0; i < nown; i++)
		close(own[i].fd);
	repair_ignore_sigpipe();
	reseed();
	return 0;
}

void repair_in_vm(void)
{
	repair_ignore_sigpipe();
	reseed();
}

int repair_lifeline(int pipe_fd, struct err *err)
{
	char path[64];
	int fd;

	/* a file of its own, so that its owner and signal are its own too */
	snprintf(path, sizeof path, "/proc/self/fd/%d", pipe_fd);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "lifeline");
	if (fcntl(fd, F_SETSIG, SIGKILL) < 0 ||
	    fcntl(fd, F_SETOWN, getpid()) < 0 ||
	    fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK) < 0) {
		int code = -errno;

		close(fd);
		return err_set(err, code, "lifeline");
	}
	return fd;
}
