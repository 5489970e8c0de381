/*
 * repair/plan - the looking of repair.h: what is open in this process, and
 * what is to become of it
 *
 * The list of descriptors is read first, and each is given its action by what
 * it is. What costs more (options, locks, epoll sets) is read afterwards, and
 * only for a plan that is to be carried out.
 */
#include "repair/repair.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "repair/options.h"

#define OPTIONS_COMPARED 64 /* so that many different ones cost no more */

static int compare_ints(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static int is_host_only(const struct repair_plan *plan, int fd)
{
	return bsearch(&fd, plan->host_only, (size_t)plan->nhost_only,
		       sizeof fd, compare_ints) != NULL;
}

/* All descriptors that the core opened, sorted. */
static int list_host_only(struct repair_plan *plan, const struct loop *loop,
			  const int *extra, int nextra)
{
	const struct loop_source *source;
	int n = 2 + nextra;

	LIST_FOREACH(source, &loop->sources, entry)
		n++;
	plan->host_only = malloc((size_t)n * sizeof plan->host_only[0]);
	if (!plan->host_only)
		return -ENOMEM;
	plan->nhost_only = n;
	n = 0;
	LIST_FOREACH(source, &loop->sources, entry)
		plan->host_only[n++] = source->fd;
	plan->host_only[n++] = loop->timerfd;
	plan->host_only[n++] = loop->wakefd;
	while (nextra > 0)
		plan->host_only[n++] = extra[--nextra];
	assert(n == plan->nhost_only);
	qsort(plan->host_only, (size_t)n, sizeof plan->host_only[0],
	      compare_ints);
	return 0;
}

/* ---- sockets ------------------------------------------------------------ */

/* An option of SOL_SOCKET, or a negated errno. */
static int socket_int(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof value;

	if (getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0)
		return -errno;
	return value;
}

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage storage;
};

/* The local port of an inet socket, 0 where it has none; fills *is_wildcard:
 * it is bound to no address. */
static int local_port(int fd, int *is_wildcard)
{
	union address addr;
	socklen_t len = sizeof addr;

	*is_wildcard = 1;
	if (getsockname(fd, &addr.any, &len) < 0)
		return 0;
	if (addr.any.sa_family == AF_INET6) {
		*is_wildcard = IN6_IS_ADDR_UNSPECIFIED(&addr.in6.sin6_addr);
		return ntohs(addr.in6.sin6_port);
	}
	*is_wildcard = addr.in.sin_addr.s_addr == htonl(INADDR_ANY);
	return ntohs(addr.in.sin_port);
}

static int has_peer(int fd)
{
	union address addr;
	socklen_t len = sizeof addr;

	return getpeername(fd, &addr.any, &len) == 0;
}

/* Returns whether fd is a TCP socket; info is zero where it is not. */
static int read_tcp_info(int fd, struct tcp_info *info)
{
	socklen_t len = sizeof *info;

	memset(info, 0, sizeof *info);
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len) == 0;
}

/* The kernel gives ports from this range to sockets that ask for none. */
static int is_ephemeral(int port)
{
	int low = 32768, high = 60999; /* the kernel's default */
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");

	if (file) {
		if (fscanf(file, "%d %d", &low, &high) != 2)
			low = high = 0;
		fclose(file);
	}
	return port >= low && port <= high;
}

/*
 * Whether a UDP socket was bound so that others find it. The kernel does not
 * tell that from a port which it chose itself at the first datagram sent, and
 * libuv binds clients explicitly; so a port of the kernel's range counts as
 * chosen by it, unless something says that the program wanted the port.
 */
static int is_bound_on_purpose(int fd, int port, int is_wildcard)
{
	if (!port || has_peer(fd))
		return 0;
	return !is_wildcard || socket_int(fd, SO_REUSEADDR) > 0 ||
	       socket_int(fd, SO_REUSEPORT) > 0 || !is_ephemeral(port);
}

/* Fills the item of a TCP socket; 0 when fd is none. One call for each of
 * 10,000 connections, so nothing else is asked of these. */
static int plan_tcp(struct repair_item *item)
{
	struct tcp_info info;
	int is_wildcard;

	if (!read_tcp_info(item->fd, &info))
		return 0;
	item->type = SOCK_STREAM;
	item->action = REPAIR_DEAD;
	if (info.tcpi_state != TCP_LISTEN && info.tcpi_state != TCP_CLOSE)
		return 1;
	item->family = socket_int(item->fd, SO_DOMAIN);
	item->action = REPAIR_FRESH;
	if (info.tcpi_state == TCP_LISTEN) {
		item->action = REPAIR_LISTENER;
		item->port = local_port(item->fd, &is_wildcard);
	}
	return 1;
}

static enum repair_action plan_inet_datagram(struct repair_item *item)
{
	int is_wildcard, port = local_port(item->fd, &is_wildcard);
	int protocol = socket_int(item->fd, SO_PROTOCOL);

	/* the port of an ICMP socket is not one */
	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6 ||
	    !is_bound_on_purpose(item->fd, port, is_wildcard))
		return REPAIR_FRESH;
	item->port = port;
	return REPAIR_LISTENER;
}

static enum repair_action plan_unix(const struct repair_item *item)
{
	if (item->type == SOCK_DGRAM)
		return REPAIR_FRESH;
	return socket_int(item->fd, SO_ACCEPTCONN) > 0 ? REPAIR_INERT
						       : REPAIR_DEAD;
}

/* Fills the item of any other socket. Returns 0 when it is to be kept as it
 * is. */
static int plan_socket(struct repair_item *item)
{
	int is_inet;

	item->family = socket_int(item->fd, SO_DOMAIN);
	is_inet = item->family == AF_INET || item->family == AF_INET6;
	if (is_inet && item->type == SOCK_STREAM)
		item->action = REPAIR_DEAD;
	else if (is_inet && item->type == SOCK_DGRAM)
		item->action = plan_inet_datagram(item);
	else if (item->family == AF_UNIX)
		item->action = plan_unix(item);
	else
		return 0;
	return 1;
}

/* ---- descriptors -------------------------------------------------------- */

/* Fills the item of anything but a socket; 0 when it is to be kept. */
static int plan_file(struct repair_item *item)
{
	int mode;
	struct stat st;

	item->status = fcntl(item->fd, F_GETFL);
	mode = item->status & O_ACCMODE;
	if (item->status < 0 || item->status & O_PATH ||
	    fstat(item->fd, &st) < 0)
		return 0;
	item->dev = st.st_dev;
	item->inode = st.st_ino;
	item->is_folder = S_ISDIR(st.st_mode);
	if (S_ISFIFO(st.st_mode)) {
		item->action = REPAIR_DEAD; /* until its other end is found */
		return 1;
	}
	/* kept or not, depending on what is seen of it later */
	if (S_ISREG(st.st_mode) || item->is_folder)
		item->action = REPAIR_REOPEN;
	else if (S_ISCHR(st.st_mode) && mode != O_WRONLY && isatty(item->fd))
		item->action = REPAIR_SILENT;
	else
		return 0;
	return 1;
}

/* Fills the item for fd; 0 when it is to be kept as it is. */
static int plan_fd(struct repair_item *item, int fd)
{
	memset(item, 0, sizeof *item);
	item->fd = fd;
	item->options = -1;
	if (plan_tcp(item))
		return 1;
	item->type = socket_int(fd, SO_TYPE);
	return item->type >= 0 ? plan_socket(item) : plan_file(item);
}

static int add_item(struct repair_plan *plan, const struct repair_item *item)
{
	assert(plan->nitems <= plan->items_cap);
	if (plan->nitems == plan->items_cap) {
		int cap = plan->items_cap ? 2 * plan->items_cap : 64;
		void *items = realloc(plan->items,
				      (size_t)cap * sizeof plan->items[0]);

		if (!items)
			return -ENOMEM;
		plan->items = items;
		plan->items_cap = cap;
	}
	plan->items[plan->nitems++] = *item;
	return 0;
}

static int plan_all(struct repair_plan *plan, int epfd)
{
	DIR *dir = opendir("/proc/self/fd");
	struct repair_item item;
	struct dirent *entry;
	int err = 0, fd;

	if (!dir)
		return -errno;
	while (!err && (entry = readdir(dir))) {
		fd = atoi(entry->d_name);
		/* stdin, stdout and stderr have rules of their own; "." and
		 * ".." count as 0 */
		if (fd <= STDERR_FILENO || fd == dirfd(dir) || fd == epfd ||
		    is_host_only(plan, fd))
			continue;
		if (plan_fd(&item, fd))
			err = add_item(plan, &item);
	}
	closedir(dir);
	return err;
}

/* ---- what costs more ---------------------------------------------------- */

/* Calls fn for each line of /proc/self/fdinfo/FD until it returns true. */
static int any_line(int fd, int (*fn)(const char *line, int arg), int arg)
{
	char path[64], *line = NULL;
	size_t size = 0;
	int found = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (!found && getline(&line, &size, file) >= 0)
		found = fn(line, arg);
	free(line);
	fclose(file);
	return found;
}

/* POSIX locks are not inherited; these belong to the open file. */
static int is_lock_line(const char *line, int arg)
{
	(void)arg;
	return !strncmp(line, "lock:", 5) &&
	       (strstr(line, " FLOCK ") || strstr(line, " OFDLCK "));
}

/* A registration in an epoll set: "tfd: 5 events: 19 data: ...". */
static int is_read_line(const char *line, int fd)
{
	unsigned events;
	int target;

	return sscanf(line, "tfd: %d events: %x", &target, &events) == 2 &&
	       target == fd && events & EPOLLIN;
}

static int is_epoll_set(int fd)
{
	char path[64], what[64];
	ssize_t len;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	len = readlink(path, what, sizeof what - 1);
	if (len < 0)
		return 0;
	what[len] = '\0';
	return !strcmp(what, "anon_inode:[eventpoll]");
}

/* Whether an event loop of the program waits for fd to be readable. */
static int is_read_by_loop(int fd)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int found = 0;

	if (!dir)
		return 0;
	while (!found && (entry = readdir(dir))) {
		int set = atoi(entry->d_name);

		found = set > STDERR_FILENO && is_epoll_set(set) &&
			any_line(set, is_read_line, fd);
	}
	closedir(dir);
	return found;
}

/* Adds the options to those of the plan, where they are new; takes them over.
 * Returns their index or a negative code. */
static int add_options(struct repair_plan *plan, struct socket_options *options)
{
	int i, last = plan->noptions - OPTIONS_COMPARED;

	if (!options)
		return -ENOMEM;
	for (i = plan->noptions - 1; i >= 0 && i >= last; i--)
		if (socket_options_equal(plan->options[i], options)) {
			free(options);
			return i;
		}
	if (plan->noptions == plan->options_cap) {
		int cap = plan->options_cap ? 2 * plan->options_cap : 16;
		void *all = realloc(plan->options,
				    (size_t)cap * sizeof plan->options[0]);

		if (!all) {
			free(options);
			return -ENOMEM;
		}
		plan->options = all;
		plan->options_cap = cap;
	}
	assert(plan->noptions < plan->options_cap);
	plan->options[plan->noptions] = options;
	return plan->noptions++;
}

static enum socket_kind kind_of(const struct repair_item *item)
{
	switch (item->action) {
	case REPAIR_FRESH: return SOCKET_FRESH;
	case REPAIR_DEAD: return SOCKET_DEAD;
	default: return SOCKET_LISTENER;
	}
}

/* Whether something becomes of a file or terminal after all. */
static int is_to_change(struct repair_item *item)
{
	int mode = item->status & O_ACCMODE;

	if (item->action == REPAIR_REOPEN) {
		item->is_locked = any_line(item->fd, is_lock_line, 0);
		return item->is_locked ||
		       (mode == O_RDONLY && !item->is_folder);
	}
	/* one for output may be open for both */
	if (item->action == REPAIR_SILENT)
		return mode == O_RDONLY || is_read_by_loop(item->fd);
	return 1;
}

/* Reads the details of all items, and drops those that are kept after all. */
static int plan_details(struct repair_plan *plan)
{
	struct repair_item *item, *to = plan->items;
	struct repair_item *end = plan->items + plan->nitems;

	for (item = plan->items; item < end; item++) {
		if (!is_to_change(item))
			continue;
		item->fd_flags = fcntl(item->fd, F_GETFD);
		if (item->type >= 0) {
			item->status = fcntl(item->fd, F_GETFL);
			item->options = add_options(
				plan,
				socket_options_read(item->fd, item->status,
						    kind_of(item)));
			if (item->options < 0)
				return -ENOMEM;
		}
		*to++ = *item;
	}
	plan->nitems = (int)(to - plan->items);
	return 0;
}

static int compare_items(const void *a, const void *b)
{
	const struct repair_item *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return (x->fd > y->fd) - (x->fd < y->fd);
}

/* Marks pipes whose two ends are both here: a run of one inode, as the items
 * are sorted. */
static void pair_pipes(struct repair_plan *plan)
{
	struct repair_item *a = plan->items, *b, *end = a + plan->nitems;

	for (; a < end; a = b) {
		int modes = 0;

		for (b = a; b < end && b->inode == a->inode &&
			    b->dev == a->dev && b->action == REPAIR_DEAD;
		     b++)
			modes |= 1 << (b->status & O_ACCMODE);
		if (a->inode && modes & 1 << O_RDONLY &&
		    modes & (1 << O_WRONLY | 1 << O_RDWR))
			while (a < b)
				a++->action = REPAIR_PIPE;
		if (b == a)
			b++;
	}
}

/* ---- the interface ------------------------------------------------------ */

static int look(struct repair_plan *plan, const struct loop *loop,
		const int *extra, int nextra, struct err *err)
{
	int code;

	memset(plan, 0, sizeof *plan);
	plan->pid = getpid();
	code = list_host_only(plan, loop, extra, nextra);
	if (!code)
		code = plan_all(plan, loop->epfd);
	if (!code)
		return 0;
	repair_plan_free(plan);
	return err_set(err, code, "looking at descriptors");
}

int repair_plan(struct repair_plan *plan, const struct loop *loop,
		const int *extra, int nextra, struct err *err)
{
	int code = look(plan, loop, extra, nextra, err);

	if (code)
		return code;
	code = plan_details(plan);
	if (code) {
		repair_plan_free(plan);
		return err_set(err, code, "looking at descriptors");
	}
	if (plan->nitems)
		qsort(plan->items, (size_t)plan->nitems, sizeof plan->items[0],
		      compare_items);
	pair_pipes(plan);
	return 0;
}

void repair_plan_free(struct repair_plan *plan)
{
	while (plan->noptions > 0)
		free(plan->options[--plan->noptions]);
	free(plan->options);
	free(plan->items);
	free(plan->host_only);
	memset(plan, 0, sizeof *plan);
}

/* Whether the list has one for which the clone's would be the same socket:
 * those of a program on several addresses, all with one port. */
static int is_listed(const struct repair_item *item,
		     const struct repair_listener *found, int n)
{
	while (n-- > 0)
		if (found[n].family == item->family &&
		    found[n].type == item->type && found[n].port == item->port)
			return 1;
	return 0;
}

static void fill_listener(struct repair_listener *listener,
			  const struct repair_item *item)
{
	struct tcp_info info;

	read_tcp_info(item->fd, &info);
	listener->fd = item->fd;
	listener->family = item->family;
	listener->type = item->type;
	listener->port = item->port;
	/* where TCP_INFO has the limit of a listener's queue */
	listener->backlog =
		info.tcpi_sacked ? (int)info.tcpi_sacked : SOMAXCONN;
}

int repair_listeners(const struct loop *loop, struct repair_listener **found,
		     struct err *err)
{
	struct repair_listener *list;
	struct repair_plan plan;
	int i, one = 1, n = 0;
	int code = look(&plan, loop, NULL, 0, err);

	*found = NULL;
	if (code)
		return code;
	list = calloc((size_t)plan.nitems + 1, sizeof *list);
	for (i = 0; list && i < plan.nitems; i++) {
		const struct repair_item *item = &plan.items[i];

		if (item->action != REPAIR_LISTENER)
			continue;
		/* so that the clone's may stand beside it */
		setsockopt(item->fd, SOL_SOCKET, SO_REUSEPORT, &one,
			   sizeof one);
		if (!is_listed(item, list, n))
			fill_listener(&list[n++], item);
	}
	repair_plan_free(&plan);
	*found = list;
	return list ? n : err_set(err, -ENOMEM, "looking at descriptors");
}
