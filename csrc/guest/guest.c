/* guest - see guest.h */
#include "guest/guest.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gridcentric/gc-guest.h"
#include "guest/agent.h"
#include "guest/child.h"
#include "guest/fork.h"
#include "guest/launch.h"
#include "guest/listener.h"
#include "guest/op.h"

#define WELCOME_MS    5000 /* an agent may take so long to answer */
#define READY_LOOK_MS 5	   /* between looks at a program that starts */
#define READY_LATE_MS 50   /* the same, after its first second */

/* ---- messages ---------------------------------------------------------- */

/* The engine asks what clones are to listen on. */
static void on_prepare(struct gc *gc, int64_t job)
{
	struct repair_listener *found;
	struct wire_buf *out = channel_out(&gc->channel);
	struct err err = { 0 };
	int n = guest_find_listeners(gc, &found, &err);

	wire_begin(out, WIRE_PREPARED, 0);
	wire_put_int(out, job);
	wire_put_int(out, err.code);
	wire_put_text(out, err.text);
	guest_put_listeners(out, found, n);
	wire_end(out);
	channel_send(&gc->channel);
	free(found);
}

/* An inside master reaps all clones whose parent has ended. */
static void on_domain(struct gc *gc, struct wire_msg msg)
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
		gc->is_welcome = 1;
		guest_metric_resend(gc);
		break;
	case WIRE_WATCH: gc->agent.may_watch = gc->agent.is_used; break;
	case WIRE_BECOME: guest_agent_keep_become(gc, msg); break;
	case WIRE_FAULT:
		gc->fault.code = (int)wire_int(msg);
		if (gc->fault.code > 0)
			gc->fault.code = -GC_EPROTO;
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
			on_domain(gc, *msg);
		guest_op_event(gc, GUEST_DOMAIN, msg, NULL);
		break;
	case WIRE_COMMAND: guest_op_event(gc, GUEST_COMMAND, msg, NULL); break;
	case WIRE_DOMAIN_METRIC:
		guest_op_event(gc, GUEST_METRIC, msg, NULL);
		break;
	case WIRE_CONSOLE: guest_op_event(gc, GUEST_CONSOLE, msg, NULL); break;
	default: break; /* of a later version, or not for this role */
	}
}

/* ---- the channel ------------------------------------------------------- */

static void on_ended(struct channel *channel, int code)
{
	struct gc *gc = container_of(channel, struct gc, channel);
	struct err err = gc->fault;

	/* a clone that took too long, which the engine has given up: nobody
	 * would ever know of it */
	if (gc->role == ROLE_DOMAIN && !gc->is_welcome && !gc->agent.is_used)
		_exit(127);
	gc->is_welcome = 0;
	if (!err.code)
		err_say(&err, -ECONNRESET, "the engine has ended%s%s",
			code ? ": " : "", code ? err_text(code) : "");
	channel_close(channel, NULL);
	memset(&gc->fault, 0, sizeof gc->fault);
	guest_op_fail_all(gc, &err);
	guest_op_event(gc, GUEST_ENGINE_LOST, NULL, &err);
}

/* Opens the channel on fd, which stays the caller's on error. */
static int attach(struct gc *gc, int fd, struct err *err)
{
	int code;

	assert(fd >= 0 && !channel_is_open(&gc->channel));
	code = channel_open(&gc->channel, &gc->loop, fd, on_message, on_ended);

	return code ? err_set(err, code, "channel") : 0;
}

/* Writes the first message: who this process is. */
static void put_hello(struct gc *gc, const char *token)
{
	assert(channel_is_open(&gc->channel));
	wire_put(channel_out(&gc->channel), WIRE_HELLO, WIRE_INT(WIRE_VERSION),
		 token, WIRE_INT(gc->role), WIRE_INT(getpid()));
}

/* Connects to the agent of the VM. */
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
	if (gc->agent.is_used)
		return speak_to_agent(gc, err);
	if (gc->role == ROLE_DOMAIN)
		return err_say(err, -ECONNRESET, "the engine has ended");
	fd = launch_engine(gc->name, gc->output, &pid, err);
	if (fd < 0)
		return fd;
	code = attach(gc, fd, err);
	if (code) {
		close(fd); /* with it the engine goes */
		return code;
	}
	guest_child_watch(gc, pid);
	put_hello(gc, "");
	channel_send(&gc->channel);
	return 0;
}

/* ---- starting ---------------------------------------------------------- */

/* Reports that the program is ready, or why it cannot be used. */
static void send_ready(struct gc *gc, const struct err *err)
{
	assert(gc->vmid == 0);
	gc->ready_port = 0;
	wire_put(channel_out(&gc->channel), WIRE_READY, WIRE_INT(gc->vmid),
		 WIRE_INT(err->code), err->text);
	channel_send(&gc->channel);
}

static int listens_on(const struct repair_listener *found, int n, int port)
{
	while (n-- > 0)
		if (found[n].type == SOCK_STREAM && found[n].port == port)
			return 1;
	return 0;
}

/* Looks whether the program listens on its port by now. */
static void look_ready(struct loop_timer *timer)
{
	struct gc *gc = container_of(timer, struct gc, ready_timer);
	int64_t since = loop_now() - gc->started_ms;
	struct repair_listener *found;
	struct err err = { 0 };
	int n;

	if (!channel_is_open(&gc->channel))
		return;
	n = guest_find_listeners(gc, &found, &err);
	if (n < 0 || listens_on(found, n, gc->ready_port))
		send_ready(gc, &err);
	else
		loop_timer_start(&gc->loop, timer,
				 since < 1000 ? READY_LOOK_MS : READY_LATE_MS,
				 look_ready);
	free(found);
}

/*
 * Takes over the channel that the engine left in the environment:
 * "channel:lifeline:port:token", the first two descriptors.
 */
static int take_channel(struct gc *gc, const char *given, struct err *err)
{
	const struct err none = { 0 };
	char token[64];
	int fd, code;

	if (sscanf(given, "%d:%d:%d:%63s", &fd, &gc->lifeline, &gc->ready_port,
		   token) != 4)
		return err_say(err, -EINVAL, "GRIDCENTRIC_CHANNEL: bad value");
	unsetenv("GRIDCENTRIC_CHANNEL"); /* not for our children */
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	gc->role = ROLE_DOMAIN;
	code = repair_arm_lifeline(gc->lifeline, err);
	if (!code)
		code = attach(gc, fd, err);
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
		send_ready(gc, &none);
	return 0;
}

/*
 * A program in a VM waits for the agent's answer: its vmid has to be right
 * from the start.
 */
static int open_in_vm(struct gc *gc, struct err *err)
{
	int64_t left, until = loop_now() + WELCOME_MS;
	struct completion *lost;
	int code;

	assert(gc->role == ROLE_INSIDE);
	gc->role = ROLE_DOMAIN;
	gc->agent.is_used = 1;
	code = speak_to_agent(gc, err);
	while (!code && !gc->is_welcome && channel_is_open(&gc->channel)) {
		left = until - loop_now();
		if (left > 0)
			guest_turn(gc, (int)left);
		else
			code = err_set(err, -ETIMEDOUT, "agent");
	}
	if (gc->is_welcome)
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

int guest_open(struct gc *gc, enum wire_role role, const char *name,
	       struct err *err)
{
	const char *given = getenv("GRIDCENTRIC_CHANNEL");
	int code;

	memset(gc, 0, sizeof *gc);
	gc->role = role;
	gc->pid = getpid();
	gc->lifeline = -1;
	gc->output[0] = gc->output[1] = -1;
	TAILQ_INIT(&gc->ops);
	LIST_INIT(&gc->children);
	TAILQ_INIT(&gc->forks);
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

void guest_add_step(struct gc *gc, struct repair_step *step)
{
	assert(step->name && step->apply);
	step->next = gc->steps;
	gc->steps = step;
}

int guest_end_all(struct gc *gc, int grace_ms)
{
	int is_owner = gc->role != ROLE_DOMAIN || gc->agent.watches;

	/* a child that the program forked by itself has no say either */
	if (!channel_is_open(&gc->channel) || !is_owner || getpid() != gc->pid)
		return 0;
	wire_put(channel_out(&gc->channel), WIRE_BYE, WIRE_INT(grace_ms));
	channel_send(&gc->channel);
	return 1;
}

static void fork_more(struct loop_timer *timer)
{
	(void)timer; /* it only makes the next turn come */
}

/*
 * In a new clone: reports, in one write, who it is and that it is ready. If
 * anything has failed, it reports that and ends: a half repaired process must
 * not run on.
 */
static void report_newborn(struct gc *gc, struct guest_newborn *born)
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
	assert(!gc->loop.turning); /* a clone begins outside of handlers */
	guest_agent_become(gc);
	if (!TAILQ_EMPTY(&gc->forks) && guest_fork_some(gc, &born))
		report_newborn(gc, &born);
	else if (!TAILQ_EMPTY(&gc->forks))
		loop_timer_start(&gc->loop, &gc->fork_timer, 0, fork_more);
	return 0;
}
