/* guest/child - see guest/child.h */
#include "guest/child.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/process.h"

struct guest_child {
	struct loop_source pidfd;
	struct gc *gc;
	pid_t pid;
	int is_adopted; /* another domain's child, until that domain ends */
	LIST_ENTRY(guest_child) link; /* in gc->children */
};

static void free_child(struct loop_source *source)
{
	free(container_of(source, struct guest_child, pidfd));
}

static void send_exited(struct gc *gc, pid_t pid, int status)
{
	if (!channel_is_open(&gc->channel))
		return;
	wire_put(channel_out(&gc->channel), WIRE_EXITED, WIRE_INT(pid),
		 WIRE_INT(status));
	channel_send(&gc->channel);
}

static int has_adopted(const struct gc *gc)
{
	const struct guest_child *child;

	LIST_FOREACH(child, &gc->children, link)
		if (child->is_adopted)
			return 1;
	return 0;
}

/*
 * A clone whose parent ends becomes this process's child, and can be reaped, if
 * this is a subreaper. It is one only while such clones live: everything else
 * that the program leaves behind ("cmd &") would come here, too, and nobody
 * would reap it. A program that is a subreaper by itself stays one.
 */
static void update_subreaper(struct gc *gc)
{
	int is_needed = has_adopted(gc), is_set = 0;

	if (is_needed == gc->is_subreaper)
		return;
	prctl(PR_GET_CHILD_SUBREAPER, &is_set);
	if (is_needed && is_set)
		return; /* by the program */
	prctl(PR_SET_CHILD_SUBREAPER, is_needed);
	gc->is_subreaper = is_needed;
}

static void forget_child(struct guest_child *child)
{
	struct gc *gc = child->gc;

	LIST_REMOVE(child, link);
	loop_close(&child->pidfd, free_child);
	update_subreaper(gc);
}

/* Reaps it if it has ended. Returns 1 then, 0 while it lives, or -ECHILD: it
 * is still another domain's child. */
static int reap_child(struct guest_child *child)
{
	int status = -1; /* for one that somebody else reaped */
	int got = process_reap(child->pidfd.fd, &status);

	if (!got)
		return 0;
	if (got < 0 && child->is_adopted)
		return -ECHILD; /* its parent reaps it, or ends as well */
	send_exited(child->gc, child->pid, status);
	forget_child(child);
	return 1;
}

static void on_child(struct loop_source *source, uint32_t events)
{
	struct guest_child *child =
		container_of(source, struct guest_child, pidfd);
	struct gc *gc = child->gc;
	struct guest_child *next;

	if (reap_child(child) < 0)
		loop_change(source, EPOLLET); /* else it is reported for ever */
	/* children of the clone that has ended are this process's now */
	for (child = LIST_FIRST(&gc->children); child; child = next) {
		next = LIST_NEXT(child, link);
		if (child->is_adopted)
			reap_child(child);
	}
}

static struct guest_child *find_child(const struct gc *gc, pid_t pid)
{
	struct guest_child *child;

	LIST_FOREACH(child, &gc->children, link)
		if (child->pid == pid)
			return child;
	return NULL;
}

static int watch_child(struct gc *gc, pid_t pid, int is_adopted)
{
	struct guest_child *child = calloc(1, sizeof *child);
	int code = -ENOMEM;

	if (child)
		code = process_watch(&child->pidfd, &gc->loop, pid, on_child);
	if (code) {
		free(child);
		return code;
	}
	assert(pid > 0);
	child->gc = gc;
	child->pid = pid;
	child->is_adopted = is_adopted;
	LIST_INSERT_HEAD(&gc->children, child, link);
	update_subreaper(gc);
	return 0;
}

int guest_child_watch(struct gc *gc, pid_t pid)
{
	return watch_child(gc, pid, 0);
}

/* Their pidfds are closed here, since the repair plan does not list those
 * that are younger than it. Their memory stays: the loop still lists it. */
void guest_child_forget(struct gc *gc)
{
	struct guest_child *child;

	LIST_FOREACH(child, &gc->children, link)
		close(child->pidfd.fd);
	LIST_INIT(&gc->children);
	gc->is_subreaper = 0; /* that is not inherited */
}

void guest_child_adopt(struct gc *gc, pid_t pid)
{
	struct guest_child *child = find_child(gc, pid);

	if (child)
		reap_child(child);
	else
		watch_child(gc, pid, 1);
}

void guest_child_ended(struct gc *gc, pid_t pid)
{
	struct guest_child *child = find_child(gc, pid);

	if (child && child->is_adopted && reap_child(child) <= 0)
		forget_child(child);
}
