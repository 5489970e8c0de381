/* repair/plan - the looking of repair.h: what is open here, what becomes of it
 */
#include "repair/repair.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int compare_ints(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static int has(const int *sorted, int n, int fd)
{
	return bsearch(&fd, sorted, (size_t)n, sizeof fd, compare_ints) != NULL;
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
	n = 0;
	LIST_FOREACH(source, &loop->sources, entry)
		plan->host_only[n++] = source->fd;
	plan->host_only[n++] = loop->timerfd;
	plan->host_only[n++] = loop->wakefd;
	while (nextra > 0)
		plan->host_only[n++] = extra[--nextra];
	qsort(plan->host_only, (size_t)n, sizeof plan->host_only[0],
	      compare_ints);
	plan->nhost_only = n;
	return 0;
}

static int option(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof value;

	if (getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0)
		return -errno;
	return value;
}

/* The local port of an inet socket; 0 where it has none. */
static int local_port(int fd)
{
	union {
		struct sockaddr_storage any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} addr;
	socklen_t len = sizeof addr;

	if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		return 0;
	return ntohs(addr.any.ss_family == AF_INET6 ? addr.in6.sin6_port
						    : addr.in.sin_port);
}

/* True when a TCP socket was never bound to a peer: it can be made anew. */
static int is_fresh(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof info;

	memset(&info, 0, sizeof info);
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return 0;
	return info.tcpi_state == TCP_CLOSE;
}

static int has_peer(int fd)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof addr;

	return getpeername(fd, (struct sockaddr *)&addr, &len) == 0;
}

/* What becomes of a socket; fills item. Returns 0 when it is to be kept. */
static int plan_socket(struct repair_item *item, int type)
{
	int family = option(item->fd, SO_DOMAIN);
	int inet = family == AF_INET || family == AF_INET6;
	int listens =
		type == SOCK_STREAM && option(item->fd, SO_ACCEPTCONN) > 0;

	item->family = family;
	item->type = type;
	if (inet && listens) {
		item->action = REPAIR_LISTENER;
		item->port = local_port(item->fd);
	} else if (inet && type == SOCK_STREAM) {
		item->action = is_fresh(item->fd) ? REPAIR_FRESH : REPAIR_DEAD;
	} else if (inet && type == SOCK_DGRAM) {
		item->port = has_peer(item->fd) ? 0 : local_port(item->fd);
		item->action = item->port ? REPAIR_LISTENER : REPAIR_FRESH;
	} else if (family == AF_UNIX && listens) {
		item->action = REPAIR_INERT;
	} else if (family == AF_UNIX && type == SOCK_DGRAM) {
		item->action = REPAIR_FRESH;
	} else if (family == AF_UNIX) {
		item->action = REPAIR_DEAD;
	} else {
		return 0;
	}
	return 1;
}

/* What becomes of fd. Returns 1 when there is something to do. */
static int plan_fd(struct repair_item *item, int fd)
{
	struct stat st;
	int type = option(fd, SO_TYPE);

	memset(item, 0, sizeof *item);
	item->fd = fd;
	if (type >= 0)
		return plan_socket(item, type);
	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
		return 0;
	item->action = REPAIR_DEAD; /* until its other end is found */
	item->inode = st.st_ino;
	item->writes = (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY;
	return 1;
}

/* Marks pipes whose two ends are both here. */
static void pair_pipes(struct repair_plan *plan)
{
	struct repair_item *a, *b, *end = plan->items + plan->nitems;

	for (a = plan->items; a < end; a++) {
		if (!a->inode || a->writes)
			continue;
		for (b = plan->items; b < end; b++)
			if (b->inode == a->inode && b->writes)
				a->action = b->action = REPAIR_PIPE;
	}
}

static int add_item(struct repair_plan *plan, const struct repair_item *item)
{
	if (plan->nitems == plan->cap) {
		int cap = plan->cap ? 2 * plan->cap : 64;
		void *items = realloc(plan->items,
				      (size_t)cap * sizeof plan->items[0]);

		if (!items)
			return -ENOMEM;
		plan->items = items;
		plan->cap = cap;
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
		/* 0 to 2 are seen to apart; names that are no number too */
		if (fd <= STDERR_FILENO || fd == dirfd(dir) || fd == epfd ||
		    has(plan->host_only, plan->nhost_only, fd))
			continue;
		if (plan_fd(&item, fd))
			err = add_item(plan, &item);
	}
	closedir(dir);
	return err;
}

int repair_plan(struct repair_plan *plan, const struct loop *loop,
		const int *extra, int nextra, struct err *err)
{
	int code;

	memset(plan, 0, sizeof *plan);
	code = list_host_only(plan, loop, extra, nextra);
	if (!code)
		code = plan_all(plan, loop->epfd);
	if (code) {
		repair_plan_free(plan);
		return err_set(err, code, "looking at descriptors");
	}
	pair_pipes(plan);
	return 0;
}

void repair_plan_free(struct repair_plan *plan)
{
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

int repair_listeners(const struct loop *loop, struct repair_listener *found,
		     int max, struct err *err)
{
	struct repair_plan plan;
	int i, one = 1, n = 0;
	int code = repair_plan(&plan, loop, NULL, 0, err);

	if (code)
		return code;
	for (i = 0; i < plan.nitems; i++) {
		const struct repair_item *item = &plan.items[i];

		if (item->action != REPAIR_LISTENER)
			continue;
		/* so that the clone's may stand beside it */
		setsockopt(item->fd, SOL_SOCKET, SO_REUSEPORT, &one,
			   sizeof one);
		if (is_listed(item, found, n))
			continue;
		if (n == max) {
			n = err_say(err, -E2BIG, "more than %d listeners", max);
			break;
		}
		found[n].fd = item->fd;
		found[n].family = item->family;
		found[n].type = item->type;
		found[n].port = item->port;
		/* the kernel does not tell a listener's backlog for free */
		found[n].backlog = SOMAXCONN;
		n++;
	}
	repair_plan_free(&plan);
	return n;
}
