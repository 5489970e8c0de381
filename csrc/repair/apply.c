/* repair/apply - the acting of repair.h, in the clone; the looking:
 * repair/plan.c */
#include "repair/repair.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "repair/options.h"
#include "repair/reopen.h"

static int has(const int *fds, int n, int fd)
{
	while (n > 0 && fds[n - 1] != fd)
		n--;
	return n > 0;
}

/* What is done in one clone. */
struct apply {
	const struct repair_plan *plan;
	const struct repair_listener *own; /* the clone's listeners */
	int nown;
	int *dead; /* a dead end for each set of options; -1: none yet */
};

/* ---- host-only descriptors ---------------------------------------------- */

static int is_kept(const struct apply *a, const int *keep, int nkeep, int fd)
{
	int i;

	for (i = 0; i < a->nown; i++)
		if (a->own[i].fd == fd)
			return 1;
	return has(keep, nkeep, fd);
}

/* Closes them, except for those that are kept, run by run. */
static void close_host_only(const struct apply *a, const int *keep, int nkeep)
{
	const int *fd = a->plan->host_only, *end = fd + a->plan->nhost_only;

	while (fd < end) {
		int first = *fd++, last = first;

		assert(fd == end || *fd >= first);
		if (is_kept(a, keep, nkeep, first))
			continue;
		while (fd < end && *fd == last + 1 &&
		       !is_kept(a, keep, nkeep, *fd))
			last = *fd++;
		close_range((unsigned)first, (unsigned)last, 0);
	}
}

/* ---- new descriptors ---------------------------------------------------- */

/* The connection from this port that waits to be accepted. */
static int accept_from(int listener, in_port_t port)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof peer;
	int fd;

	for (;;) {
		fd = accept4(listener, (struct sockaddr *)&peer, &len,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && errno == EINTR)
			continue;
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

/* A listening socket of the family that nobody knows. */
static int inert_listener(int family)
{
	struct sockaddr self = { .sa_family = AF_UNIX };
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
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

/* A new socket of the kind of the item's. */
static int fresh_socket(const struct repair_item *item)
{
	int fd, protocol = 0;
	socklen_t len = sizeof protocol;

	getsockopt(item->fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len);
	fd = socket(item->family, item->type | SOCK_CLOEXEC, protocol);
	return fd < 0 ? -errno : fd;
}

/* An input on which nothing ever comes: a datagram socket without a name, so
 * that nobody can send to it. */
static int silent_input(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

/* Puts `from` under the item's number. */
static int put(int from, const struct repair_item *item)
{
	int flags = item->fd_flags & FD_CLOEXEC ? O_CLOEXEC : 0;

	assert(from != item->fd);
	if (dup3(from, item->fd, flags) >= 0)
		return 0;
	/* it was opened when the limit was higher */
	return errno == EBADF ? -EMFILE : -errno;
}

/* The same, and closes `from`, which may be a negative code. */
static int move(int from, const struct repair_item *item)
{
	int err = from < 0 ? from : put(from, item);

	if (from >= 0)
		close(from);
	return err;
}

/* ---- sockets ------------------------------------------------------------ */

static void write_options(const struct apply *a, const struct repair_item *item,
			  int fd)
{
	assert(item->options >= 0 && item->options < a->plan->noptions);
	socket_options_write(a->plan->options[item->options], fd, a->plan->pid);
}

/* Connects a datagram socket to the peer of the original. A peer that is gone
 * is met again at the first datagram. */
static void connect_as(int fd, int original)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof peer;

	if (getpeername(original, (struct sockaddr *)&peer, &len) == 0 &&
	    len > sizeof peer.ss_family)
		connect(fd, (struct sockaddr *)&peer, len);
}

static int apply_fresh(const struct apply *a, const struct repair_item *item)
{
	int fd = fresh_socket(item);

	if (fd >= 0) {
		write_options(a, item, fd);
		if (item->type == SOCK_DGRAM)
			connect_as(fd, item->fd);
	}
	return move(fd, item);
}

/* The clone's own socket for the item, or -1. */
static int find_own(const struct apply *a, const struct repair_item *item)
{
	int i;

	for (i = 0; i < a->nown; i++)
		if (a->own[i].family == item->family &&
		    a->own[i].type == item->type &&
		    a->own[i].port == item->port)
			return a->own[i].fd;
	return -1;
}

static int apply_listener(const struct apply *a, const struct repair_item *item)
{
	int fd = item->action == REPAIR_LISTENER ? find_own(a, item) : -1;

	if (fd >= 0) {
		write_options(a, item, fd);
		return put(fd, item);
	}
	if (item->type == SOCK_DGRAM)
		fd = fresh_socket(item);
	else
		fd = inert_listener(item->family);
	if (fd >= 0)
		write_options(a, item, fd);
	return move(fd, item);
}

/* One for all connections with the same options: there may be 10,000. */
static int apply_dead_socket(struct apply *a, const struct repair_item *item)
{
	int *dead = &a->dead[item->options];

	if (*dead < 0) {
		*dead = dead_end();
		if (*dead >= 0)
			write_options(a, item, *dead);
	}
	return *dead < 0 ? *dead : put(*dead, item);
}

/* ---- pipes and files ---------------------------------------------------- */

static int apply_dead_pipe(const struct repair_item *item)
{
	int fd = dead_end();

	if (fd >= 0)
		fcntl(fd, F_SETFL, item->status);
	return move(fd, item);
}

/* The first item behind `item` that is no descriptor of the same inode. */
static struct repair_item *end_of_run(const struct repair_plan *plan,
				      struct repair_item *item)
{
	struct repair_item *at = item, *end = plan->items + plan->nitems;

	while (at < end && at->inode == item->inode && at->dev == item->dev)
		at++;
	return at;
}

/* libuv renews a pipe of its own in every fork: that one is sound already. */
static int was_renewed(const struct repair_item *item)
{
	struct stat st;

	return fstat(item->fd, &st) < 0 || st.st_ino != item->inode;
}

/* A new pipe for all descriptors of the old one, which are item to end. */
static int apply_pipe(struct repair_item *item, const struct repair_item *end)
{
	int ends[2], size, err = 0;

	if (was_renewed(item))
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	size = fcntl(item->fd, F_GETPIPE_SZ);
	if (size > 0)
		fcntl(ends[0], F_SETPIPE_SZ, size);
	for (; item < end && !err; item++) {
		int fd = ends[(item->status & O_ACCMODE) != O_RDONLY];

		fcntl(fd, F_SETFL, item->status);
		err = put(fd, item);
	}
	close(ends[0]);
	close(ends[1]);
	return err;
}

/* Opens the files of a run again, each with all its descriptors. */
static int apply_files(struct repair_item *item, const struct repair_item *end)
{
	struct repair_item *other;
	int err = 0;

	for (; item < end && !err; item++) {
		int fd = item->fd >= 0 ? reopen_file(item) : -1;

		if (fd < 0)
			continue;
		for (other = item + 1; other < end && !err; other++) {
			if (other->fd < 0 ||
			    !reopen_is_same(item->fd, other->fd))
				continue;
			err = put(fd, other);
			other->fd = -1; /* done */
		}
		if (err)
			close(fd);
		else
			err = move(fd, item);
	}
	return err;
}

/* ---- all items ---------------------------------------------------------- */

static int apply_one(struct apply *a, struct repair_item *item)
{
	switch (item->action) {
	case REPAIR_LISTENER:
	case REPAIR_INERT: return apply_listener(a, item);
	case REPAIR_FRESH: return apply_fresh(a, item);
	case REPAIR_DEAD:
		return item->type >= 0 ? apply_dead_socket(a, item)
				       : apply_dead_pipe(item);
	case REPAIR_SILENT: return move(silent_input(), item);
	case REPAIR_PIPE:
	case REPAIR_REOPEN: break; /* apply_run() */
	}
	assert(!"an action that is carried out for a whole run");
	return -EINVAL;
}

/* Items of pipes and files come in runs of one inode. Returns the first item
 * that is not done. */
static struct repair_item *apply_run(struct apply *a, struct repair_item *item,
				     int *err)
{
	struct repair_item *end;

	if (item->action != REPAIR_PIPE && item->action != REPAIR_REOPEN) {
		*err = apply_one(a, item);
		return item + 1;
	}
	end = end_of_run(a->plan, item);
	*err = item->action == REPAIR_PIPE ? apply_pipe(item, end)
					   : apply_files(item, end);
	return end;
}

static int apply_items(struct apply *a)
{
	struct repair_item *item = a->plan->items;
	struct repair_item *end = item + a->plan->nitems;
	int i, n = a->plan->noptions, err = 0;

	a->dead = malloc(((size_t)n + 1) * sizeof *a->dead);
	if (!a->dead)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		a->dead[i] = -1;
	while (item < end && !err)
		item = apply_run(a, item, &err);
	for (i = 0; i < n; i++)
		if (a->dead[i] >= 0)
			close(a->dead[i]);
	free(a->dead);
	return err;
}

/* What may still bring something in the master brings nothing here; its end
 * would end many a program. */
static int replace_stdin(void)
{
	struct repair_item item = { .fd = STDIN_FILENO };
	struct stat st;
	int fd;

	item.status = fcntl(STDIN_FILENO, F_GETFL);
	if (item.status >= 0)
		item.fd_flags = fcntl(STDIN_FILENO, F_GETFD);
	if (item.status >= 0 && fstat(STDIN_FILENO, &st) == 0 &&
	    (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) ||
	     isatty(STDIN_FILENO))) {
		fd = silent_input();
		if (fd >= 0)
			fcntl(fd, F_SETFL, item.status);
	} else {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		fd = fd < 0 ? -errno : fd;
	}
	if (fd == STDIN_FILENO) /* it was closed */
		return fcntl(fd, F_SETFD, 0) < 0 ? -errno : 0;
	return move(fd, &item);
}

int repair_apply(struct repair_plan *plan, const struct repair_listener *own,
		 int nown, const int *keep, int nkeep, struct err *err)
{
	struct apply a = { .plan = plan, .own = own, .nown = nown };
	int i, code;

	assert(plan->pid != getpid());
	setpgid(0, 0);
	close_host_only(&a, keep, nkeep);
	code = apply_items(&a);
	if (!code)
		code = replace_stdin();
	if (code)
		return err_set(err, code, "replacing descriptors");
	for (i = 0; i < nown; i++)
		close(own[i].fd);
	return 0;
}

/* ---- steps -------------------------------------------------------------- */

int repair_check(struct repair_step *steps, struct err *err)
{
	for (; steps; steps = steps->next)
		if (steps->check && steps->check(steps, err))
			return err->code;
	return 0;
}

int repair_apply_steps(struct repair_step *steps, struct err *err)
{
	for (; steps; steps = steps->next)
		if (steps->apply(steps, err))
			return err_prefix(err, "%s", steps->name);
	return 0;
}
