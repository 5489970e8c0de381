/* guest - see guest.h */
#include "guest/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gridcentric/gc-guest.h"
#include "guest/agent.h"
#include "guest/child.h"
#include "guest/fork.h"
#include "guest/launch.h"
#include "guest/listener.h"
#include "guest/op.h"

#define WELCOME_MS    5000 /* how long an agent may take to answer */
#define READY_LOOK_MS 5	   /* how often a starting program is looked at */
#define READY_LATE_MS 50   /* the same, when it takes over a second */

/* ---- messages ---------------------------------------------------------- */

static void on_prepare(struct gc *gc, int64_t job)
{
	struct repair_listener found[REPAIR_MAX_LISTENERS];
	struct wire_buf *out = channel_out(&gc->channel);
	struct err err = { 0 };
	int n = 0, code = guest_find_listeners(gc, found, &n, &err);

	wire_begin(out, WIRE_PREPARED, 0);
	wire_put_int(out, job);
	wire_put_int(out, code);
	wire_put_text(out, err.text);
	guest_put_listeners(out, found, n);
	wire_end(out);
	channel_send(&gc->channel);
}

/* The master of a program reaps all clones whose parent has ended. */
static void note_domain(struct gc *gc, struct wire_msg msg)
{
	int64_t state;
	pid_t pid;

	wire_int(&msg); /* vmid */
	state = wire_int(&msg);
	pid = (pid_t)wire_int(&msg);
	if (pid > 0 && state == GC_DOMAIN_READY)
		guest_child_adopt(gc, pid);
	else if (pid > 0 && state == GC_DOMAIN_ENDED)
		guest_child_ended(gc, pid);
}

static void on_message(struct channel *channel, struct wire_msg *msg)
{
	struct gc *gc = container_of(channel, struct gc, channel);

	switch (msg->type) {
	case WIRE_WELCOME:
		gc->vmid = (int)wire_int(msg);
		gc->welcome = 1;
		guest_metric_resend(gc);
		break;
	case WIRE_WATCH: gc->agent.may_watch = gc->agent.used; break;
	case WIRE_BECOME: guest_agent_note(gc, msg); break;
	case WIRE_FAULT:
		gc->fault.code = (int)wire_int(msg);
		wire_copy(msg, gc->fault.text, sizeof gc->fault.text);
		break;
	case WIRE_TICKET:
	case WIRE_CLONED:
	case WIRE_DOMAINS:
	case WIRE_DONE: guest_op_answered(gc, msg); break;
	case WIRE_PREPARE: on_prepare(gc, wire_int(msg)); break;
	case WIRE_FORK: guest_fork_queue(gc, msg); break;
	case WIRE_ADOPT: guest_child_adopt(gc, (pid_t)wire_int(msg)); break;
	case WIRE_DOMAIN:
		if (gc->role == ROLE_INSIDE)
			note_domain(gc, *msg);
		guest_op_event(gc, GUEST_DOMAIN, msg, NULL);
		break;
	case WIRE_COMMAND: guest_op_event(gc, GUEST_COMMAND, msg, NULL); break;
	case WIRE_DOMAIN_METRIC:
		guest_op_event(gc, GUEST_METRIC, msg, NULL);
		break;
	case WIRE_CONSOLE: guest_op_event(gc, GUEST_CONSOLE, msg, NULL); break;
	default: break; /* of a later version, or not for this end */
	}
}

/* ---- the channel ------------------------------------------------------- */

static void on_ended(struct channel *channel, int code)
{
	struct gc *gc = container_of(channel, struct gc, channel);
	struct err why = gc->fault;

	/* it took too long, and the engine has given it up: nobody would ever
	 * know of this clone */
	if (gc->role == ROLE_DOMAIN && !gc->welcome && !gc->agent.used)
		_exit(127);
	gc->welcome = 0;
	if (!why.code)
		err_say(&why, -ECONNRESET, "the engine has ended%s%s",
			code ? ": " : "", code ? err_text(code) : "");
	channel_close(channel, NULL);
	memset(&gc->fault, 0, sizeof gc->fault);
	guest_op_fail_all(gc, &why);
	guest_op_event(gc, GUEST_ENGINE_LOST, NULL, &why);
}

static int attach(struct gc *gc, int fd, struct err *err)
{
	int code =
		channel_open(&gc->channel, &gc->loop, fd, on_message, on_ended);

	return code ? err_set(err, code, "channel") : 0;
}

/* Writes who it is. */
static void put_hello(struct gc *gc, const char *token)
{
	wire_put(channel_out(&gc->channel), WIRE_HELLO, WIRE_INT(WIRE_VERSION),
		 token, WIRE_INT(gc->role), WIRE_INT(getpid()));
}

/* Says hello to the agent of the VM. */
static int speak_to_agent(struct gc *gc, struct err *err)
{
	int fd = guest_agent_connect(err), code;

	if (fd < 0)
		return fd;
	code = attach(gc, fd, err);
	if (code) {
		close(fd);
		return code;
	}
	put_hello(gc, "");
	channel_send(&gc->channel);
	if (gc->agent.watches)
		guest_agent_watch(gc);
	return 0;
}

int guest_need_engine(struct gc *gc, struct err *err)
{
	pid_t pid;
	int fd, code;

	if (channel_is_open(&gc->channel))
		return 0;
	if (gc->agent.used)
		return speak_to_agent(gc, err);
	if (gc->role == ROLE_DOMAIN)
		return err_say(err, -ECONNRESET, "the engine has ended");
	fd = launch_engine(gc->name, &pid, err);
	if (fd < 0)
		return fd;
	code = attach(gc, fd, err);
	if (code) {
		close(fd); /* with it the engine goes */
		return code;
	}
	/* clones whose parent has ended become children of this process */
	if (gc->role == ROLE_INSIDE)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	guest_child_watch(gc, pid);
	put_hello(gc, "");
	channel_send(&gc->channel);
	return 0;
}

/* ---- starting ---------------------------------------------------------- */

static void tell_program_ready(struct gc *gc)
{
	gc->ready_port = 0;
	wire_put(channel_out(&gc->channel), WIRE_READY, WIRE_INT(gc->vmid),
		 WIRE_INT(0), "");
	channel_send(&gc->channel);
}

/* Looks whether the program listens on its port by now. */
static void look_ready(struct loop_timer *timer)
{
	struct gc *gc = container_of(timer, struct gc, ready_timer);
	struct repair_listener found[REPAIR_MAX_LISTENERS];
	int64_t since = loop_now() - gc->started_ms;
	int i, n = repair_listeners(&gc->loop, found, REPAIR_MAX_LISTENERS,
				    NULL);

	if (!channel_is_open(&gc->channel))
		return;
	for (i = 0; i < n; i++)
		if (found[i].type == SOCK_STREAM &&
		    found[i].port == gc->ready_port) {
			tell_program_ready(gc);
			return;
		}
	loop_timer_start(&gc->loop, timer,
			 since < 1000 ? READY_LOOK_MS : READY_LATE_MS,
			 look_ready);
}

/*
 * Takes over the channel that the engine left in the environment:
 * "channel:lifeline:port:token", the first two descriptors.
 */
static int take_channel(struct gc *gc, const char *given, struct err *err)
{
	char token[64];
	int fd, lifeline, code;

	if (sscanf(given, "%d:%d:%d:%63s", &fd, &lifeline, &gc->ready_port,
		   token) != 4)
		return err_say(err, -EINVAL, "GRIDCENTRIC_CHANNEL: bad value");
	unsetenv("GRIDCENTRIC_CHANNEL"); /* not for our children */
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	gc->role = ROLE_DOMAIN;
	gc->lifeline = repair_lifeline(lifeline, err);
	close(lifeline);
	code = gc->lifeline < 0 ? gc->lifeline : attach(gc, fd, err);
	if (code) {
		close(fd);
		return code;
	}
	put_hello(gc, token);
	channel_send(&gc->channel);
	gc->started_ms = loop_now();
	if (gc->ready_port)
		loop_timer_start(&gc->loop, &gc->ready_timer, 0, look_ready);
	else
		tell_program_ready(gc);
	return 0;
}

/*
 * A program of a VM: its number is known only when the agent has answered, and
 * has to be right from the start.
 */
static int open_in_vm(struct gc *gc, struct err *err)
{
	int64_t left, until = loop_now() + WELCOME_MS;
	struct completion *lost;
	int code;

	gc->role = ROLE_DOMAIN;
	gc->agent.used = 1;
	code = speak_to_agent(gc, err);
	while (!code && !gc->welcome && channel_is_open(&gc->channel)) {
		left = until - loop_now();
		if (left > 0)
			guest_turn(gc, (int)left);
		else
			code = err_set(err, -ETIMEDOUT, "agent");
	}
	if (gc->welcome)
		return 0;
	channel_close(&gc->channel, NULL);
	while ((lost = loop_next(&gc->loop))) {
		if (lost->kind == GUEST_ENGINE_LOST) {
			*err = container_of(lost, struct guest_event, done)
				       ->err;
			code = err_prefix(err, "agent");
		}
		guest_free(lost);
	}
	return code;
}

int gc_open(struct gc *gc, enum wire_role role, const char *name,
	    struct err *err)
{
	const char *given = getenv("GRIDCENTRIC_CHANNEL");
	int code;

	memset(gc, 0, sizeof *gc);
	gc->role = role;
	gc->pid = getpid();
	gc->lifeline = -1;
	gc->forks_end = &gc->forks;
	snprintf(gc->name, sizeof gc->name, "%s", name);
	code = loop_init(&gc->loop);
	if (code)
		return err_set(err, code, "event loop");
	if (role != ROLE_INSIDE)
		return 0;
	if (given)
		code = take_channel(gc, given, err);
	else if (guest_agent_path())
		code = open_in_vm(gc, err);
	if (code)
		loop_free(&gc->loop);
	return code;
}

int gc_bye(struct gc *gc, int grace_ms)
{
	int is_owner = gc->role != ROLE_DOMAIN || gc->agent.watches;

	/* nor does a child that the program forked by itself */
	if (!channel_is_open(&gc->channel) || !is_owner || getpid() != gc->pid)
		return 0;
	wire_put(channel_out(&gc->channel), WIRE_BYE, WIRE_INT(grace_ms));
	channel_send(&gc->channel);
	return 1;
}

static void fork_more(struct loop_timer *timer)
{
	(void)timer; /* it only makes the loop turn */
}

/*
 * In a new clone: says hello and, in the same write, that it is ready. Where
 * anything has failed, it says so and ends: a half repaired process must not
 * run on.
 */
static void speak(struct gc *gc, struct guest_newborn *born)
{
	struct err *err = &born->err;
	struct wire_buf *out = channel_out(&gc->channel);

	if (attach(gc, born->channel, err->code ? NULL : err))
		_exit(127);
	put_hello(gc, born->token);
	wire_put(out, WIRE_READY, WIRE_INT(gc->vmid), WIRE_INT(err->code),
		 err->text);
	channel_send(&gc->channel);
	if (err->code)
		_exit(127);
	guest_op_become_clone(gc, born->op);
}

int guest_turn(struct gc *gc, int timeout_ms)
{
	int n = loop_turn(&gc->loop,
			  loop_has_completions(&gc->loop) ? 0 : timeout_ms);
	struct guest_newborn born = { 0 };

	if (n < 0)
		return n;
	guest_agent_become(gc);
	if (gc->forks && guest_fork_some(gc, &born))
		speak(gc, &born);
	else if (gc->forks)
		loop_timer_start(&gc->loop, &gc->fork_timer, 0, fork_more);
	return 0;
}
