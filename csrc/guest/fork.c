/* guest/fork - see guest/fork.h */
#include "guest/fork.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/process.h"
#include "guest/child.h"
#include "guest/op.h"

#define FORKS_PER_TURN 4

/* A fork that the engine asked for. */
struct guest_fork {
	TAILQ_ENTRY(guest_fork) link; /* in gc->forks, in order of arrival */
	int vmid;
	int64_t op; /* of this program's CLONE; 0: somebody else asked */
	char token[64], address[16];
	int channel, lifeline; /* descriptors for the clone */
	int nlisteners;
	struct repair_listener listeners[]; /* the clone's own */
};

/* ---- the queue --------------------------------------------------------- */

static void free_fork(struct guest_fork *fork_)
{
	int i;

	if (fork_->channel >= 0)
		close(fork_->channel);
	if (fork_->lifeline >= 0)
		close(fork_->lifeline);
	for (i = 0; i < fork_->nlisteners; i++)
		if (fork_->listeners[i].fd >= 0)
			close(fork_->listeners[i].fd);
	free(fork_);
}

/* Tells the engine what became of a fork. pid: or a negative code. */
static void send_forked(struct gc *gc, int vmid, int pid, const char *text)
{
	if (!channel_is_open(&gc->channel))
		return;
	wire_put(channel_out(&gc->channel), WIRE_FORKED, WIRE_INT(vmid),
		 WIRE_INT(pid), text);
	channel_send(&gc->channel);
}

/* Answers the first fork of the queue, and forgets it. */
static void finish_first(struct gc *gc, int pid, const char *text)
{
	struct guest_fork *first = TAILQ_FIRST(&gc->forks);

	assert(first && pid != 0);
	send_forked(gc, first->vmid, pid, text);
	TAILQ_REMOVE(&gc->forks, first, link);
	free_fork(first);
}

static int has_all_fds(const struct guest_fork *fork_)
{
	int i;

	for (i = 0; i < fork_->nlisteners; i++)
		if (fork_->listeners[i].fd < 0)
			return 0;
	return fork_->channel >= 0 && fork_->lifeline >= 0;
}

/* Reads the message, and takes its descriptors in order. */
static void read_fork(struct gc *gc, struct guest_fork *fork_, int max,
		      struct wire_msg *msg)
{
	fork_->vmid = (int)wire_int(msg);
	fork_->op = wire_int(msg);
	wire_copy(msg, fork_->token, sizeof fork_->token);
	wire_copy(msg, fork_->address, sizeof fork_->address);
	fork_->channel = channel_take_fd(&gc->channel);
	fork_->lifeline = channel_take_fd(&gc->channel);
	while (wire_more(msg) && fork_->nlisteners < max) {
		struct repair_listener *l =
			&fork_->listeners[fork_->nlisteners++];

		l->family = (int)wire_int(msg);
		l->type = (int)wire_int(msg);
		l->port = (int)wire_int(msg);
		l->fd = channel_take_fd(&gc->channel);
	}
}

void guest_fork_queue(struct gc *gc, struct wire_msg *msg)
{
	/* channel and lifeline come first, then one for each listener */
	int max = msg->nfds > 2 ? msg->nfds - 2 : 0;
	struct guest_fork *fork_ = calloc(
		1, sizeof *fork_ + (size_t)max * sizeof fork_->listeners[0]);
	struct err err;

	if (!fork_)
		return; /* the engine gives up on it in time */
	read_fork(gc, fork_, max, msg);
	if (has_all_fds(fork_)) {
		TAILQ_INSERT_TAIL(&gc->forks, fork_, link);
		return;
	}
	err_set(&err, -EMFILE, "clone %d", fork_->vmid);
	send_forked(gc, fork_->vmid, err.code, err.text);
	free_fork(fork_);
}

/* Whether the engine waits for it no longer: it has closed its end. */
static int is_given_up(const struct guest_fork *fork_)
{
	struct pollfd end = { .fd = fork_->channel };

	return poll(&end, 1, 0) > 0;
}

static void drop_given_up(struct gc *gc)
{
	struct guest_fork *fork_ = TAILQ_FIRST(&gc->forks), *next;

	for (; fork_; fork_ = next) {
		next = TAILQ_NEXT(fork_, link);
		if (!is_given_up(fork_))
			continue;
		TAILQ_REMOVE(&gc->forks, fork_, link);
		free_fork(fork_);
	}
}

/* ---- before the fork ---------------------------------------------------- */

/* Fills fds with the descriptors of a queued fork; returns how many. */
static int list_fds(const struct guest_fork *fork_, int *fds)
{
	int i, n = 0;

	fds[n++] = fork_->channel;
	fds[n++] = fork_->lifeline;
	for (i = 0; i < fork_->nlisteners; i++)
		fds[n++] = fork_->listeners[i].fd;
	return n;
}

/* Plans the repair of the clones of all queued forks: each keeps only its own
 * descriptors. */
static int plan_forks(struct gc *gc, struct repair_plan *plan, struct err *err)
{
	struct guest_fork *fork_;
	int *extra, n = 1, code;

	TAILQ_FOREACH(fork_, &gc->forks, link)
		n += 2 + fork_->nlisteners;
	extra = malloc((size_t)n * sizeof *extra);
	if (!extra)
		return err_set(err, -ENOMEM, "fork");
	n = 0;
	if (gc->lifeline >= 0)
		extra[n++] = gc->lifeline;
	TAILQ_FOREACH(fork_, &gc->forks, link)
		n += list_fds(fork_, extra + n);
	code = repair_plan(plan, &gc->loop, extra, n, err);
	free(extra);
	return code;
}

/* Asks the program, then looks at it. Returns 0, or a negative code and why
 * there are no clones; nothing is held then. */
static int prepare(struct gc *gc, struct repair_plan *plan, struct err *err)
{
	int code = 0;

	if (gc->before_clone)
		code = gc->before_clone(gc->before_clone_arg, err);
	if (!code)
		code = plan_forks(gc, plan, err);
	if (!code)
		repair_flush_stdio();
	return code;
}

/* ---- the fork ---------------------------------------------------------- */

/* In the clone: drops operations, channel and timers of the master. */
static int forget_master(struct gc *gc, struct err *err)
{
	int code;

	guest_op_take_back(gc);
	guest_metric_forget(gc);
	channel_forget(&gc->channel);
	assert(!channel_is_open(&gc->channel));
	TAILQ_INIT(&gc->forks);
	gc->ready_port = 0;
	gc->is_welcome = 0;
	code = loop_after_fork(&gc->loop);
	return code ? err_set(err, code, "event loop") : 0;
}

/* In the clone: repairs this process. Returns 0, or a negative code; its loop
 * can be used then, too. */
static int repair(struct gc *gc, struct guest_fork *fork_,
		  struct repair_plan *plan, struct err *err)
{
	const int keep[] = { fork_->channel, fork_->lifeline };
	struct err lost; /* a second failure is not reported */
	int code;

	code = repair_apply(plan, fork_->listeners, fork_->nlisteners, keep, 2,
			    err);
	gc->lifeline = fork_->lifeline;
	if (!code)
		code = repair_arm_lifeline(gc->lifeline, err);
	repair_process();
	if (forget_master(gc, code ? &lost : err) || code)
		return err->code;
	return repair_apply_steps(gc->steps, err);
}

/* In the clone: makes it known as one. */
static void become_clone(struct gc *gc, struct guest_fork *fork_,
			 struct repair_plan *plan, struct guest_newborn *born)
{
	assert(fork_->vmid > 0 && fork_->vmid != gc->vmid);
	gc->vmid = fork_->vmid;
	gc->role = ROLE_DOMAIN;
	memcpy(gc->address, fork_->address, sizeof gc->address);
	memcpy(born->token, fork_->token, sizeof born->token);
	born->channel = fork_->channel;
	born->op = fork_->op;
	/* while all its descriptors are the master's: what is opened from here
	 * on may take a number of theirs */
	guest_child_forget(gc);
	repair(gc, fork_, plan, &born->err);
	free(fork_); /* its descriptors are the clone's now */
}

/* In the master: watches the new clone. One that cannot be watched would
 * never be reaped, so it is killed. Returns its pid, or a negative code. */
static int keep_clone(struct gc *gc, pid_t pid, struct err *err)
{
	int code;

	if (pid < 0)
		return err_set(err, -errno, "fork");
	code = guest_child_watch(gc, pid);
	if (!code)
		return pid;
	process_destroy(pid);
	return err_set(err, code, "watching the clone");
}

int guest_fork_some(struct gc *gc, struct guest_newborn *born)
{
	struct repair_plan plan;
	struct err err = { 0 };
	int n, code;
	pid_t pid;

	drop_given_up(gc);
	if (TAILQ_EMPTY(&gc->forks))
		return 0;
	code = prepare(gc, &plan, &err);
	for (n = 0; code && !TAILQ_EMPTY(&gc->forks); n++)
		finish_first(gc, code, err.text);
	if (code)
		return 0;
	for (n = 0; !TAILQ_EMPTY(&gc->forks) && n < FORKS_PER_TURN; n++) {
		pid = fork();
		if (pid == 0) {
			become_clone(gc, TAILQ_FIRST(&gc->forks), &plan, born);
			repair_plan_free(&plan);
			return 1;
		}
		pid = keep_clone(gc, pid, &err);
		finish_first(gc, pid, pid < 0 ? err.text : "");
	}
	repair_plan_free(&plan);
	return 0;
}
