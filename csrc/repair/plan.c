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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "repair/fdinfo.h"
#include "repair/options.h"
#include "repair/socket.h"

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
	int is_planned;

	memset(item, 0, sizeof *item);
	item->fd = fd;
	item->options = -1;
	is_planned = socket_plan(item);
	return is_planned >= 0 ? is_planned : plan_file(item);
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
		item->is_locked = fdinfo_is_locked(item->fd);
		return item->is_locked ||
		       (mode == O_RDONLY && !item->is_folder);
	}
	/* one for output may be open for both */
	if (item->action == REPAIR_SILENT)
		return mode == O_RDONLY || fdinfo_is_polled(item->fd);
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
	listener->fd = item->fd;
	listener->family = item->family;
	listener->type = item->type;
	listener->port = item->port;
	listener->backlog = socket_backlog(item->fd);
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
