/* agent - see agent.h */
#include "agent/agent.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/connections.h"
#include "agent/message.h"
#include "agent/port.h"
#include "base/setting.h"

#define PORT_LOOK_MS  100 /* how often a port is looked for */
#define PORT_WAIT_MS  30000
#define READY_LOOK_MS 5	   /* how often a starting program is looked at */
#define READY_LATE_MS 50   /* the same, when it takes over a second */
#define LOOPBACK_MS   1000 /* for a program that starts there to go on */

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("gridcentric-agent: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

static void end(struct agent *agent, int status)
{
	agent->over = 1;
	agent->status = status;
}

/* ---- ready ------------------------------------------------------------- */

/* Once: err is why it is not, NULL: it is, and code 0: it is, but. */
static void tell_ready(struct agent *agent, const struct err *err)
{
	loop_timer_stop(&agent->ready_timer);
	agent->said_ready = 1;
	if (err && err->code)
		say("%s", err->text);
	if (!channel_is_open(&agent->engine))
		return;
	wire_put(channel_out(&agent->engine), WIRE_READY, WIRE_INT(agent->vmid),
		 WIRE_INT(err ? err->code : 0), err ? err->text : "");
	channel_send(&agent->engine);
}

/* In the VM it is, but nobody outside gets there. */
static void tell_loopback(struct agent *agent)
{
	struct err err;

	err_say(&err, -EADDRNOTAVAIL,
		"the program listens on 127.0.0.1:%d only; in a VM it has to "
		"listen on 0.0.0.0, see $HOST",
		agent->port);
	tell_ready(agent, &err);
}

/* Looks whether the program listens on its port by now. */
static void look_ready(struct loop_timer *timer)
{
	struct agent *agent = container_of(timer, struct agent, ready_timer);
	int64_t since = loop_now() - agent->since_ms;
	enum listening listening = LISTENING_NOWHERE;

	if (agent->state == AGENT_RUNNING)
		listening = agent->port ? connections_listening(agent->port)
					: LISTENING;
	if (listening == LISTENING) {
		tell_ready(agent, NULL);
		return;
	}
	if (listening == LISTENING_LOOPBACK && since >= LOOPBACK_MS) {
		tell_loopback(agent);
		return;
	}
	loop_timer_start(&agent->loop, timer,
			 since < 1000 ? READY_LOOK_MS : READY_LATE_MS,
			 look_ready);
}

/* ---- the program ------------------------------------------------------- */

static void describe_end(int status, struct err *err)
{
	if (WIFSIGNALED(status))
		err_say(err, -GC_EDIED, "the program was killed by SIG%s",
			sigabbrev_np(WTERMSIG(status)));
	else
		err_say(err, -GC_EDIED, "the program ended: exit status %d",
			WEXITSTATUS(status));
}

static void on_child_ended(struct child *child)
{
	struct agent *agent = container_of(child, struct agent, child);
	struct err err;

	describe_end(child->status, &err);
	if (!agent->said_ready)
		tell_ready(agent, &err);
	wire_put(channel_out(&agent->engine), WIRE_EXITED, WIRE_INT(child->pid),
		 WIRE_INT(child->status));
	channel_send(&agent->engine);
	end(agent, WIFEXITED(child->status) ? WEXITSTATUS(child->status)
					    : 128 + WTERMSIG(child->status));
}

static void start_program(struct agent *agent)
{
	char *const *argv = agent->options.argv;
	/* where a program scales itself, a proxy of its own has that port */
	int port = agent->programs.may_watch ? 0 : agent->port;
	struct err err = { 0 };

	if (argv[0] && child_start(&agent->child, &agent->loop, &agent->freezer,
				   argv, port, on_child_ended, &err)) {
		tell_ready(agent, &err);
		end(agent, 127);
		return;
	}
	agent->since_ms = loop_now();
	look_ready(&agent->ready_timer);
}

/* ---- PREPARE ----------------------------------------------------------- */

/* text: why not, or what pre-clone had to say, "" where there is none. */
static void tell_prepared(struct agent *agent, int64_t snapshot, int code,
			  const char *text)
{
	if (code)
		say("%s", text);
	wire_put(channel_out(&agent->engine), WIRE_PREPARED, snapshot,
		 WIRE_INT(code), text);
	channel_send(&agent->engine);
}

/* pre-clone is over, and has said that, or there is none. */
static void freeze(struct agent *agent, const char *said, struct err *err)
{
	if (!channel_is_open(&agent->engine)) { /* nobody waits */
		agent->state = AGENT_RUNNING;
		return;
	}
	agent->has_post_clone = hook_exists(&agent->hooks, "post-clone");
	if (!err->code)
		machine_look(&agent->machine, err);
	if (!err->code)
		freezer_freeze(&agent->freezer, err);
	agent->state = err->code ? AGENT_RUNNING : AGENT_FROZEN;
	programs_hold(&agent->programs, !err->code);
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
	agent->snapshot = snapshot;
	agent->state = AGENT_PREPARING;
	if (hook_exists(&agent->hooks, "pre-clone"))
		agent->pre_clone =
			hook_start(&agent->hooks, "pre-clone", agent->vmid, "",
				   agent->address, on_pre_clone, agent, &err);
	if (!agent->pre_clone)
		freeze(agent, "", &err);
}

/* The engine waits no longer. */
static void stop_preparing(struct agent *agent)
{
	hook_cancel(agent->pre_clone);
	agent->pre_clone = NULL;
	agent->state = AGENT_RUNNING;
}

/* ---- IDENTITY ---------------------------------------------------------- */

static void go_on(struct agent *agent)
{
	freezer_thaw(&agent->freezer);
	agent->state = AGENT_RUNNING;
	programs_hold(&agent->programs, 0);
}

/* Keeps what programs and hooks are told. */
static void keep_identity(struct agent *agent, const struct identity *identity)
{
	agent->vmid = identity->vmid;
	agent->port = identity->port;
	memcpy(agent->address, identity->address, sizeof agent->address);
	agent->programs.vmid = identity->vmid;
	memcpy(agent->programs.name, identity->host, sizeof identity->host);
	/* only a VM that clones itself has the network of clones */
	agent->programs.may_watch = identity->ncards > 1;
}

static void be_first(struct agent *agent, const struct identity *identity)
{
	struct err err = { 0 };

	keep_identity(agent, identity);
	if (machine_first(&agent->machine, identity, &err)) {
		tell_ready(agent, &err);
		return;
	}
	go_on(agent);
	if (!agent->said_ready)
		start_program(agent);
}

/* Still the one that it was. */
static void be_source(struct agent *agent, const struct identity *identity)
{
	struct err err;

	if (identity_clock(identity->realtime_ns, &err))
		say("%s", err.text);
	go_on(agent);
}

/* READY goes first: programs that go on have the CPU. That post-clone failed
 * (err) is told with it, and no more than that. */
static void be_ready(struct agent *agent, const struct err *err)
{
	struct err told = *err;

	told.code = 0;
	if (err->code)
		say("%s", told.text);
	tell_ready(agent, err->code ? &told : NULL);
	go_on(agent);
}

static void on_post_clone(struct hook_run *run, struct err *err)
{
	be_ready(run->owner, err);
}

static void be_clone(struct agent *agent, const struct identity *identity)
{
	struct err err = { 0 };

	loop_timer_stop(&agent->ready_timer);
	keep_identity(agent, identity);
	if (machine_become(&agent->machine, identity, &err)) {
		tell_ready(agent, &err);
		return;
	}
	programs_become(&agent->programs, identity->op, identity->address);
	agent->state = AGENT_BECOMING;
	if (agent->has_post_clone &&
	    hook_start(&agent->hooks, "post-clone", agent->vmid, "",
		       agent->address, on_post_clone, agent, &err))
		return;
	be_ready(agent, &err);
}

static void on_identity(struct agent *agent, struct wire_msg *msg)
{
	struct identity identity;
	struct err err;
	int code = message_identity(msg, &identity);

	if (agent->state == AGENT_PREPARING)
		stop_preparing(agent);
	if (code) {
		err_set(&err, code, "network cards");
		tell_ready(agent, &err);
	} else if (agent->state == AGENT_BOOTING) {
		be_first(agent, &identity);
	} else if (identity.vmid == agent->vmid) {
		be_source(agent, &identity);
	} else {
		be_clone(agent, &identity);
	}
}

void agent_signal(struct agent *agent, int number)
{
	if (agent->child.pid > 0)
		child_signal(&agent->child, number);
	else
		end(agent, 0);
}

/* ---- the engine -------------------------------------------------------- */

static void on_message(struct channel *channel, struct wire_msg *msg)
{
	struct agent *agent = container_of(channel, struct agent, engine);

	switch (msg->type) {
	case WIRE_STOP: agent_signal(agent, SIGTERM); break;
	case WIRE_PREPARE: on_prepare(agent, wire_int(msg)); break;
	case WIRE_IDENTITY: on_identity(agent, msg); break;
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

	say("the engine has ended%s%s", code ? ": " : "",
	    code ? err_text(code) : "");
	channel_close(channel, NULL);
	/* where only the port was renewed under a snapshot, what comes next
	 * still is IDENTITY */
	if (agent->state != AGENT_FROZEN)
		programs_drop(&agent->programs);
	agent->since_ms = loop_now();
	loop_timer_start(&agent->loop, &agent->port_timer, PORT_LOOK_MS,
			 look_for_port);
}

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
	wire_put(channel_out(&agent->engine), WIRE_HELLO,
		 WIRE_INT(WIRE_VERSION), "", WIRE_INT(ROLE_AGENT),
		 WIRE_INT(getpid()));
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
	if (loop_now() - agent->since_ms < limit_ms) {
		loop_timer_start(&agent->loop, timer, PORT_LOOK_MS,
				 look_for_port);
		return;
	}
	say("%s", err.text);
	end(agent, 1);
}

/* ---- start and end ----------------------------------------------------- */

int agent_start(struct agent *agent, const struct agent_options *options,
		struct err *err)
{
	struct err trouble;
	int code = loop_init(&agent->loop);

	if (code)
		return err_set(err, code, "event loop");
	agent->options = *options;
	hooks_init(&agent->hooks, &agent->loop);
	code = programs_listen(&agent->programs, &agent->loop, &agent->engine,
			       options->socket, err);
	if (code) {
		loop_free(&agent->loop);
		return code;
	}
	/* told now, to who reads the console: at a clone it is an error */
	if (freezer_init(&agent->freezer, &trouble))
		say("%s", trouble.text);
	if (machine_open(&agent->machine, &trouble))
		say("%s", trouble.text);
	agent->since_ms = loop_now();
	loop_timer_start(&agent->loop, &agent->port_timer, 0, look_for_port);
	return 0;
}

void agent_turn(struct agent *agent)
{
	int n = loop_turn(&agent->loop, -1);

	if (n < 0) {
		say("event loop: %s", err_text(n));
		end(agent, 1);
		return;
	}
	programs_flow(&agent->programs);
}

void agent_stop(struct agent *agent)
{
	freezer_thaw(&agent->freezer);
	child_signal(&agent->child, SIGKILL);
	programs_drop(&agent->programs);
	channel_close(&agent->engine, NULL);
	loop_free(&agent->loop);
	unlink(agent->options.socket);
}
