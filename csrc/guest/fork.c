/* guest/fork - see guest/fork.h */
#include "guest/fork.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/process.h"
#include "guest/child.h"
#include "guest/op.h"
#include "repair/repair.h"

#define FORKS_PER_TURN 4

/* A fork that the engine asked for. */
struct guest_fork {
	struct guest_fork *next;
	int vmid;
	int64_t op; /* of our own CLONE, 0: not ours */
	char token[64], address[16];
	int channel, lifeline; /* descriptors for the clone */
	int nlisteners;
	struct repair_listener listeners[REPAIR_MAX_LISTENERS];
};

/* ---- the queue --------------------------------------------------------- */

static void close_fork(struct guest_fork *fork_)
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

static void tell_forked(struct gc *gc, int vmid, int pid, const char *text)
{
	if (!channel_is_open(&gc->channel))
		return;
	wire_put(channel_out(&gc->channel), WIRE_FORKED, WIRE_INT(vmid),
		 WIRE_INT(pid), text);
	channel_send(&gc->channel);
}

static int has_all_fds(const struct guest_fork *fork_)
{
	int i;

	for (i = 0; i < fork_->nlisteners; i++)
		if (fork_->listeners[i].fd < 0)
			return 0;
	return fork_->channel >= 0 && fork_->lifeline >= 0;
}

void guest_fork_queue(struct gc *gc, struct wire_msg *msg)
{
	struct guest_fork *fork_ = calloc(1, sizeof *fork_);
	struct err err;

	if (!fork_)
		return; /* the engine gives up on it in time */
	fork_->vmid = (int)wire_int(msg);
	fork_->op = wire_int(msg);
	wire_copy(msg, fork_->token, sizeof fork_->token);
	wire_copy(msg, fork_->address, sizeof fork_->address);
	fork_->channel = channel_take_fd(&gc->channel);
	fork_->lifeline = channel_take_fd(&gc->channel);
	while (wire_more(msg) && fork_->nlisteners < REPAIR_MAX_LISTENERS) {
		struct repair_listener *l =
			&fork_->listeners[fork_->nlisteners++];

		l->family = (int)wire_int(msg);
		l->type = (int)wire_int(msg);
		l->port = (int)wire_int(msg);
		l->fd = channel_take_fd(&gc->channel);
	}
	if (!has_all_fds(fork_)) {
		err_set(&err, -EMFILE, "clone %d", fork_->vmid);
		tell_forked(gc, fork_->vmid, err.code, err.text);
		close_fork(fork_);
		return;
	}
	*gc->forks_end = fork_;
	gc->forks_end = &fork_->next;
}

/* Descriptors of queued forks: each clone keeps those of its own. */
static int list_fds(const struct guest_fork *fork_, int *fds)
{
	int i, n = 0;

	fds[n++] = fork_->channel;
	fds[n++] = fork_->lifeline;
	for (i = 0; i < fork_->nlisteners; i++)
		fds[n++] = fork_->listeners[i].fd;
	return n;
}

static int plan_forks(struct gc *gc, struct repair_plan *plan, struct err *err)
{
	struct guest_fork *fork_;
	int *extra, n = 1, code;

	for (fork_ = gc->forks; fork_; fork_ = fork_->next)
		n += 2 + fork_->nlisteners;
	extra = malloc((size_t)n * sizeof *extra);
	if (!extra)
		return err_set(err, -ENOMEM, "fork");
	n = 0;
	if (gc->lifeline >= 0)
		extra[n++] = gc->lifeline;
	for (fork_ = gc->forks; fork_; fork_ = fork_->next)
		n += list_fds(fork_, extra + n);
	code = repair_plan(plan, &gc->loop, extra, n, err);
	free(extra);
	return code;
}

/* ---- the fork ---------------------------------------------------------- */

/* Whether the engine waits for it no longer: it has closed its end. */
static int is_given_up(const struct guest_fork *fork_)
{
	struct pollfd end = { .fd = fork_->channel };

	return poll(&end, 1, 0) > 0;
}

static void drop_given_up(struct gc *gc)
{
	struct guest_fork **at = &gc->forks, *fork_;

	while ((fork_ = *at)) {
		if (is_given_up(fork_)) {
			*at = fork_->next;
			close_fork(fork_);
		} else {
			at = &fork_->next;
		}
	}
	gc->forks_end = at;
}

/* In the clone: drops operations, channel and timers of the master. */
static int forget_master(struct gc *gc, struct err *err)
{
	int code;

	guest_op_take_back(gc);
	guest_metric_forget(gc);
	channel_forget(&gc->channel);
	gc->forks = NULL;
	gc->forks_end = &gc->forks;
	gc->ready_port = 0;
	gc->welcome = 0;
	code = loop_after_fork(&gc->loop);
	return code ? err_set(err, code, "event loop") : 0;
}

/* In the clone: makes a sound process of it. */
static void become_clone(struct gc *gc, struct guest_fork *fork_,
			 struct repair_plan *plan, struct guest_newborn *born)
{
	int keep[2 + REPAIR_MAX_LISTENERS], nkeep = list_fds(fork_, keep);
	struct err *err = &born->err;
	int code;

	gc->vmid = fork_->vmid;
	gc->role = ROLE_DOMAIN;
	memcpy(gc->address, fork_->address, sizeof gc->address);
	memcpy(born->token, fork_->token, sizeof born->token);
	born->channel = fork_->channel;
	born->op = fork_->op;
	/* while all its descriptors are the master's: what is opened from here
	 * on may take a number of theirs */
	guest_child_forget(gc);
	code = repair_apply(plan, fork_->listeners, fork_->nlisteners, keep,
			    nkeep, err);
	if (!code) {
		gc->lifeline = repair_lifeline(fork_->lifeline, err);
		close(fork_->lifeline);
		code = gc->lifeline < 0 ? gc->lifeline : 0;
	}
	code = forget_master(gc, code ? NULL : err) || code;
	if (!code && gc->uv)
		repair_uv_apply(gc->uv, err);
	free(fork_);
}

/* In the master: watches the new clone. One that cannot be watched would
 * never be reaped, so it is not to be. Returns its pid, or a negative code. */
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

/* The first of the queue is done with. */
static void drop_first(struct gc *gc)
{
	struct guest_fork *first = gc->forks;

	gc->forks = first->next;
	if (!gc->forks)
		gc->forks_end = &gc->forks;
	close_fork(first);
}

int guest_fork_some(struct gc *gc, struct guest_newborn *born)
{
	struct repair_plan plan;
	struct err err = { 0 };
	int n, code;

	drop_given_up(gc);
	code = plan_forks(gc, &plan, &err);
	fflush(NULL); /* or each clone would write it again */
	for (n = 0; gc->forks && n < FORKS_PER_TURN; n++) {
		struct guest_fork *fork_ = gc->forks;
		int pid = code;

		if (!code) {
			pid = fork();
			if (pid == 0) {
				become_clone(gc, fork_, &plan, born);
				repair_plan_free(&plan);
				return 1;
			}
			pid = keep_clone(gc, pid, &err);
		}
		tell_forked(gc, fork_->vmid, pid, pid < 0 ? err.text : "");
		drop_first(gc);
	}
	if (!code)
		repair_plan_free(&plan);
	return 0;
}
