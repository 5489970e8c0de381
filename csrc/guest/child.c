/* guest/child - see guest/child.h */
#include "guest/child.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/process.h"

struct guest_child {
	struct loop_source pidfd;
	struct gc *gc;
	pid_t pid;
	int foreign; /* of another domain, until that ends */
	struct guest_child *next, **self;
};

static void free_child(struct loop_source *source)
{
	free(container_of(source, struct guest_child, pidfd));
}

static void tell_exited(struct gc *gc, pid_t pid, int status)
{
	if (!channel_is_open(&gc->channel))
		return;
	wire_put(channel_out(&gc->channel), WIRE_EXITED, WIRE_INT(pid),
		 WIRE_INT(status));
	channel_send(&gc->channel);
}

static void forget_child(struct guest_child *child)
{
	*child->self = child->next;
	if (child->next)
		child->next->self = child->self;
	loop_close(&child->pidfd, free_child);
}

/* Reaps it if it has ended. Returns 1 then, 0 when it lives, or -ECHILD: it
 * is another domain's. */
static int reap(struct guest_child *child)
{
	int status = -1; /* somebody else reaped it */
	int got = process_reap(child->pidfd.fd, &status);

	if (!got)
		return 0;
	if (got < 0 && child->foreign)
		return -ECHILD; /* its parent reaps it, or ends as well */
	tell_exited(child->gc, child->pid, status);
	forget_child(child);
	return 1;
}

static void on_child(struct loop_source *source, uint32_t events)
{
	struct guest_child *child =
		container_of(source, struct guest_child, pidfd);
	struct gc *gc = child->gc;
	struct guest_child *next;

	if (reap(child) < 0)
		loop_change(source, EPOLLET); /* it would be told for ever */
	/* its own children have become this process's */
	for (child = gc->children; child; child = next) {
		next = child->next;
		if (child->foreign)
			reap(child);
	}
}

static struct guest_child *find_child(const struct gc *gc, pid_t pid)
{
	struct guest_child *child = gc->children;

	while (child && child->pid != pid)
		child = child->next;
	return child;
}

static int watch(struct gc *gc, pid_t pid, int foreign)
{
	struct guest_child *child = calloc(1, sizeof *child);
	int code = -ENOMEM;

	if (child)
		code = process_watch(&child->pidfd, &gc->loop, pid, on_child);
	if (code) {
		free(child);
		return code;
	}
	child->gc = gc;
	child->pid = pid;
	child->foreign = foreign;
	child->next = gc->children;
	child->self = &gc->children;
	if (child->next)
		child->next->self = &child->next;
	gc->children = child;
	return 0;
}

int guest_child_watch(struct gc *gc, pid_t pid)
{
	return watch(gc, pid, 0);
}

/* The plan knows only those that are older than it; and the loop still lists
 * all, so that their memory stays. */
void guest_child_forget(struct gc *gc)
{
	struct guest_child *child;

	for (child = gc->children; child; child = child->next)
		close(child->pidfd.fd);
	gc->children = NULL;
}

void guest_child_adopt(struct gc *gc, pid_t pid)
{
	struct guest_child *child = find_child(gc, pid);

	if (child)
		reap(child);
	else
		watch(gc, pid, 1);
}

void guest_child_ended(struct gc *gc, pid_t pid)
{
	struct guest_child *child = find_child(gc, pid);

	if (child && child->foreign && reap(child) <= 0)
		forget_child(child);
}
