/* agent - see agent.h */
#include "agent/agent.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/become.h"
#include "agent/port.h"
#include "agent/ready.h"
#include "base/clock.h"
#include "base/setting.h"

#define PORT_LOOK_MS 100 /* how often a port is looked for */
#define PORT_WAIT_MS 30000

void agent_log(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("gridcentric-agent: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

void agent_end(struct agent *agent, int status)
{
	agent->over = 1;
	agent->status = status;
}

struct wire_buf *agent_out(struct agent *agent)
{
	/* what is written to a closed channel would be lost, and its memory */
	assert(channel_is_open(&agent->engine));
	return channel_out(&agent->engine);
}

void agent_tell_exit(struct agent *agent, int pid, int status)
{
	if (!channel_is_open(&agent->engine))
		return; /* the engine sees the end of the VM */
	wire_put(agent_out(agent), WIRE_EXITED, WIRE_INT(pid),
		 WIRE_INT(status));
	channel_send(&agent->engine);
}

void agent_hold_programs(struct agent *agent)
{
	int is_heard = agent->is_known && channel_is_open(&agent->engine) &&
		       (agent->state == AGENT_RUNNING ||
			agent->state == AGENT_PREPARING);

	programs_hold(&agent->programs, !is_heard);
}

/* ---- PREPARE ----------------------------------------------------------- */

/* Answers PREPARE. text: why not, or what pre-clone had to say; "": nothing. */
static void tell_prepared(struct agent *agent, int64_t snapshot, int code,
			  const char *text)
{
	if (code)
		agent_log("%s", text);
	wire_put(agent_out(agent), WIRE_PREPARED, snapshot, WIRE_INT(code),
		 text);
	channel_send(&agent->engine);
}

/* Freezes programs, and sees to it that a clone has little to look up. */
static int freeze_programs(struct agent *agent, struct err *err)
{
	int code;

	agent->has_post_clone = hook_exists(&agent->hooks, "post-clone");
	code = machine_look(&agent->machine, err);
	if (!code)
		code = freezer_freeze(&agent->freezer, err);
	if (!code)
		agent->was_listening = ready_is_listening(agent);
	return code;
}

/* pre-clone has ended, and said that, or there is none. err: it failed. */
static void freeze(struct agent *agent, const char *said, struct err *err)
{
	assert(agent->state == AGENT_PREPARING);
	agent->state = AGENT_RUNNING;
	if (!channel_is_open(&agent->engine))
		return; /* nobody waits */
	clock_sync_stop(&agent->clock);
	if (!err->code && !freeze_programs(agent, err))
		agent->state = AGENT_FROZEN;
	agent_hold_programs(agent);
	tell_prepared(agent, agent->snapshot, err->code,
		      err->code ? err->text : said);
}

static void on_pre_clone(struct hook_run *run, struct err *err)
{
	struct agent *agent = run->owner;
	struct err said;

	/* a run is that of agent->snapshot, or nobody waits for it */
	if (agent->state != AGENT_PREPARING || run != agent->pre_clone)
		return;
	agent->pre_clone = NULL;
	err_say(&said, 0, "pre-clone: %s",
		run->len ? run->text : "exit status 0");
	freeze(agent, said.text, err);
}

static void on_prepare(struct agent *agent, int64_t snapshot)
{
	struct err err = { 0 };

	if (agent->state != AGENT_RUNNING) {
		tell_prepared(agent, snapshot, -EBUSY,
			      agent->state == AGENT_PREPARING
				      ? "the VM is being prepared already"
				      : "the VM is not running yet");
		return;
	}
	assert(!agent->pre_clone);
	agent->snapshot = snapshot;
	agent->state = AGENT_PREPARING;
	if (hook_exists(&agent->hooks, "pre-clone"))
		agent->pre_clone =
			hook_start(&agent->hooks, "pre-clone", agent->vmid, "",
				   agent->address, on_pre_clone, agent, &err);
	if (!agent->pre_clone)
		freeze(agent, "", &err);
}

void agent_stop_preparing(struct agent *agent)
{
	assert(agent->state == AGENT_PREPARING);
	hook_cancel(agent->pre_clone);
	agent->pre_clone = NULL;
	agent->state = AGENT_RUNNING;
}

/* ---- STOP -------------------------------------------------------------- */

void agent_signal(struct agent *agent, int number)
{
	if (agent->child.pid > 0)
		child_signal(&agent->child, number);
	else
		agent_end(agent, 0);
}

static void on_left(struct leave *leave)
{
	agent_tell_exit(container_of(leave, struct agent, leave), 0, 0);
}

/* The engine ends this VM: its program gets SIGTERM, as that of a process
 * would. A program that has a unit of its own is found by its port. */
static void on_stop(struct agent *agent)
{
	if (agent->child.pid > 0)
		child_signal(&agent->child, SIGTERM);
	else
		leave_start(&agent->leave, &agent->loop, agent->port, on_left);
}

/* ---- the engine -------------------------------------------------------- */

static void send_ping(struct clock_sync *clock, int64_t number)
{
	struct agent *agent = container_of(clock, struct agent, clock);

	if (!channel_is_open(&agent->engine))
		return; /* the time limit does the rest */
	wire_put(agent_out(agent), WIRE_PING, number);
	channel_send(&agent->engine);
}

static void send_pong(struct agent *agent, int64_t number)
{
	wire_put(agent_out(agent), WIRE_PONG, number, clock_wall_ns());
	channel_send(&agent->engine);
}

static void on_message(struct channel *channel, struct wire_msg *msg)
{
	struct agent *agent = container_of(channel, struct agent, engine);
	int64_t number;

	switch (msg->type) {
	case WIRE_PING: send_pong(agent, wire_int(msg)); break;
	case WIRE_PONG:
		number = wire_int(msg);
		clock_sync_pong(&agent->clock, number, wire_int(msg));
		break;
	case WIRE_STOP: on_stop(agent); break;
	case WIRE_PREPARE: on_prepare(agent, wire_int(msg)); break;
	case WIRE_IDENTITY: become_identity(agent, msg); break;
	case WIRE_TICKET:
	case WIRE_CLONED:
	case WIRE_DOMAINS:
	case WIRE_DONE: programs_answer(&agent->programs, msg); break;
	case WIRE_DOMAIN:
	case WIRE_DOMAIN_METRIC:
	case WIRE_COMMAND: programs_tell_watcher(&agent->programs, msg); break;
	default: break; /* of a later version */
	}
}

static void look_for_port(struct loop_timer *timer);

static void on_engine_ended(struct channel *channel, int code)
{
	struct agent *agent = container_of(channel, struct agent, engine);

	agent_log("the engine has ended%s%s", code ? ": " : "",
		  code ? err_text(code) : "");
	channel_close(channel, NULL);
	agent->is_known = 0;
	agent_hold_programs(agent);
	/* where only the port was renewed under a snapshot, what comes next
	 * still is IDENTITY */
	if (agent->state != AGENT_FROZEN)
		programs_drop(&agent->programs);
	agent->port_since_ms = loop_now();
	loop_timer_start(&agent->loop, &agent->port_timer, PORT_LOOK_MS,
			 look_for_port);
}

/* Opens the port, and says HELLO. Returns 0 or a negative code. */
static int open_engine(struct agent *agent, struct err *err)
{
	const struct agent_options *options = &agent->options;
	int fd = port_open(options->port_name, options->port_path, err);
	int code;

	if (fd < 0)
		return fd;
	code = channel_open(&agent->engine, &agent->loop, fd, on_message,
			    on_engine_ended);
	if (code) {
		close(fd);
		return err_set(err, code, "port");
	}
	if (agent->state == AGENT_FROZEN)
		return 0;
	wire_put(agent_out(agent), WIRE_HELLO, WIRE_INT(WIRE_VERSION), "",
		 WIRE_INT(ROLE_AGENT), WIRE_INT(getpid()));
	channel_send(&agent->engine);
	return 0;
}

static void look_for_port(struct loop_timer *timer)
{
	struct agent *agent = container_of(timer, struct agent, port_timer);
	int64_t limit_ms = setting_ms("GRIDCENTRIC_PORT_WAIT", PORT_WAIT_MS);
	struct err err;

	if (!open_engine(agent, &err))
		return;
	if (loop_now() - agent->port_since_ms < limit_ms) {
		loop_timer_start(&agent->loop, timer, PORT_LOOK_MS,
				 look_for_port);
		return;
	}
	agent_log("%s", err.text);
	agent_end(agent, 1);
}

/* ---- start and end ----------------------------------------------------- */

int agent_start(struct agent *agent, const struct agent_options *options,
		struct err *err)
{
	struct err note;
	int code = loop_init(&agent->loop);

	if (code)
		return err_set(err, code, "event loop");
	agent->options = *options;
	agent->clock.loop = &agent->loop;
	agent->clock.ping = send_ping;
	hooks_init(&agent->hooks, &agent->loop);
	code = programs_listen(&agent->programs, &agent->loop, &agent->engine,
			       options->socket, err);
	if (code) {
		loop_free(&agent->loop);
		return code;
	}
	/* a note on the console now; when a clone is made, it is an error */
	if (freezer_init(&agent->freezer, &note))
		agent_log("%s", note.text);
	if (machine_open(&agent->machine, &note))
		agent_log("%s", note.text);
	agent->port_since_ms = loop_now();
	loop_timer_start(&agent->loop, &agent->port_timer, 0, look_for_port);
	return 0;
}

void agent_turn(struct agent *agent)
{
	int n = loop_turn(&agent->loop, -1);

	if (n < 0) {
		agent_log("event loop: %s", err_text(n));
		agent_end(agent, 1);
		return;
	}
	programs_flow(&agent->programs);
}

void agent_stop(struct agent *agent)
{
	clock_sync_stop(&agent->clock);
	leave_stop(&agent->leave);
	freezer_thaw(&agent->freezer);
	child_signal(&agent->child, SIGKILL);
	programs_drop(&agent->programs);
	channel_close(&agent->engine, NULL);
	loop_free(&agent->loop);
	unlink(agent->options.socket);
}
