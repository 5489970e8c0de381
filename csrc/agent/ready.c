/* ready - see ready.h */
#include "agent/ready.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "agent/connections.h"

/* ---- telling ----------------------------------------------------------- */

/* Sends what agent->ready says. */
static void send_ready(struct agent *agent)
{
	const struct err *err = &agent->ready;

	wire_put(agent_out(agent), WIRE_READY, WIRE_INT(agent->vmid),
		 WIRE_INT(err->code), err->text);
	channel_send(&agent->engine);
	agent->owes_ready = 0;
}

void ready_tell(struct agent *agent, const struct err *err)
{
	loop_timer_stop(&agent->ready_timer);
	memset(&agent->ready, 0, sizeof agent->ready);
	if (err)
		agent->ready = *err;
	agent->has_told_ready = agent->owes_ready = 1;
	if (agent->ready.code)
		agent_log("%s", agent->ready.text);
	if (channel_is_open(&agent->engine))
		send_ready(agent);
}

void ready_tell_again(struct agent *agent)
{
	assert(channel_is_open(&agent->engine));
	if (agent->owes_ready)
		send_ready(agent);
}

/* ---- looking ----------------------------------------------------------- */

/* A VM that is to have a port is not ready then; another one is, with a note:
 * its program may serve nobody outside. */
static void tell_loopback(struct agent *agent, int port)
{
	struct err err;

	err_say(&err, agent->port ? -EADDRNOTAVAIL : 0,
		"the program listens on 127.0.0.1:%d only; in a VM it has to "
		"listen on 0.0.0.0, see $HOST",
		port);
	ready_tell(agent, &err);
}

static void tell_nobody(struct agent *agent)
{
	struct err err;

	err_say(&err, -ECONNREFUSED,
		"nothing listens on port %d in the machine", agent->port);
	ready_tell(agent, &err);
}

static void look(struct loop_timer *timer)
{
	struct agent *agent = container_of(timer, struct agent, ready_timer);
	int64_t since_ms = loop_now() - agent->since_ms;
	enum listening listening = LISTENING_NOWHERE;
	int port = agent->port;

	if (agent->state == AGENT_RUNNING)
		listening = connections_listening(&port);
	if (listening == LISTENING_NOWHERE && !port &&
	    (!agent->options.argv[0] || since_ms >= READY_PORTLESS_MS))
		listening = LISTENING; /* it is ready without */
	if (listening == LISTENING)
		ready_tell(agent, agent->note.text[0] ? &agent->note : NULL);
	else if (listening == LISTENING_LOOPBACK &&
		 since_ms >= READY_LOOPBACK_MS)
		tell_loopback(agent, port);
	else if (agent->is_clone && since_ms >= READY_CLONE_MS)
		tell_nobody(agent);
	else
		loop_timer_start(&agent->loop, timer,
				 since_ms < READY_SLOW_MS ? READY_LOOK_MS
							  : READY_LOOK_SLOW_MS,
				 look);
}

int ready_is_listening(const struct agent *agent)
{
	int port = agent->port;

	return !port || agent->programs.may_watch ||
	       connections_listening(&port) == LISTENING;
}

void ready_wait_clone(struct agent *agent, const struct err *note)
{
	assert(agent->is_clone && agent->state == AGENT_RUNNING);
	agent->note = *note;
	agent->since_ms = loop_now();
	look(&agent->ready_timer);
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

static void on_program_ended(struct child *child)
{
	struct agent *agent = container_of(child, struct agent, child);
	int status = child->status;
	struct err err;

	describe_end(status, &err);
	if (!agent->has_told_ready)
		ready_tell(agent, &err);
	agent_tell_exit(agent, child->pid, status);
	agent_end(agent, WIFEXITED(status) ? WEXITSTATUS(status)
					   : 128 + WTERMSIG(status));
}

void ready_start_program(struct agent *agent)
{
	char *const *argv = agent->options.argv;
	/* where a program scales itself, its own proxy has that port */
	int port = agent->programs.may_watch ? 0 : agent->port;
	struct err err = { 0 };

	assert(agent->state == AGENT_RUNNING && !agent->child.pid);
	if (argv[0] && child_start(&agent->child, &agent->loop, &agent->freezer,
				   argv, port, on_program_ended, &err)) {
		ready_tell(agent, &err);
		agent_end(agent, 127);
		return;
	}
	agent->since_ms = loop_now();
	look(&agent->ready_timer);
}
