/* become - see become.h */
#include "agent/become.h"

#include <assert.h>
#include <string.h>

#include "agent/message.h"
#include "agent/ready.h"

void become_running(struct agent *agent)
{
	freezer_thaw(&agent->freezer);
	agent->state = AGENT_RUNNING;
	agent_hold_programs(agent);
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

/* Takes the engine's time, then calls next. An engine that gives no time (0)
 * leaves the clock alone. */
static void take_time(struct agent *agent, const struct identity *identity,
		      void (*next)(struct clock_sync *, const struct err *))
{
	static const struct err none = { 0 };

	clock_sync_stop(&agent->clock);
	if (identity->realtime_ns > 0)
		clock_sync_start(&agent->clock, identity->realtime_ns, next);
	else
		next(&agent->clock, &none);
}

/* ---- booting ----------------------------------------------------------- */

static void on_first_time(struct clock_sync *clock, const struct err *err)
{
	struct agent *agent = container_of(clock, struct agent, clock);

	assert(agent->state == AGENT_BOOTING);
	if (err->code) {
		ready_tell(agent, err);
		return;
	}
	become_running(agent);
	if (!agent->has_told_ready)
		ready_start_program(agent);
}

static void become_first(struct agent *agent, const struct identity *identity)
{
	struct err err = { 0 };

	keep_identity(agent, identity);
	if (machine_first(&agent->machine, identity, &err))
		ready_tell(agent, &err);
	else
		take_time(agent, identity, on_first_time);
}

/* ---- still itself ------------------------------------------------------ */

static void on_source_time(struct clock_sync *clock, const struct err *err)
{
	if (err->code)
		agent_log("%s", err->text);
}

static void become_source(struct agent *agent, const struct identity *identity)
{
	/* the port was renewed: a clone's own steps go on by themselves */
	if (agent->state == AGENT_BECOMING)
		return;
	become_running(agent);
	take_time(agent, identity, on_source_time);
}

/* ---- a clone ----------------------------------------------------------- */

/* All is done but programs. READY goes first: programs that go on have the
 * CPU. err: that post-clone failed, which is told, and no more than that. */
static void finish_clone(struct agent *agent, const struct err *err)
{
	struct err note = *err;

	assert(agent->state == AGENT_BECOMING);
	if (err->code)
		agent_log("%s", err->text);
	note.code = 0;
	if (agent->was_listening && !agent->has_post_clone)
		ready_tell(agent, note.text[0] ? &note : NULL);
	else if (ready_is_listening(agent))
		ready_tell(agent, note.text[0] ? &note : NULL);
	become_running(agent);
	if (!agent->has_told_ready)
		ready_wait_clone(agent, &note);
}

static void on_post_clone(struct hook_run *run, struct err *err)
{
	struct err note = *err;

	if (!err->code)
		note.text[0] = '\0';
	finish_clone(run->owner, &note);
}

static void on_clone_time(struct clock_sync *clock, const struct err *clock_err)
{
	struct agent *agent = container_of(clock, struct agent, clock);
	struct err err = { 0 };

	assert(agent->state == AGENT_BECOMING);
	if (clock_err->code) {
		ready_tell(agent, clock_err);
		return;
	}
	programs_become(&agent->programs, agent->op, agent->address);
	if (agent->has_post_clone &&
	    hook_start(&agent->hooks, "post-clone", agent->vmid, "",
		       agent->address, on_post_clone, agent, &err))
		return;
	finish_clone(agent, &err);
}

static void become_clone(struct agent *agent, const struct identity *identity)
{
	struct err err = { 0 };

	loop_timer_stop(&agent->ready_timer);
	keep_identity(agent, identity);
	agent->op = identity->op;
	agent->is_clone = 1;
	agent->has_told_ready = agent->owes_ready = 0;
	agent->state = AGENT_BECOMING;
	if (machine_become(&agent->machine, identity, &err))
		ready_tell(agent, &err);
	else
		take_time(agent, identity, on_clone_time);
}

/* ---- IDENTITY ---------------------------------------------------------- */

void become_identity(struct agent *agent, struct wire_msg *msg)
{
	struct identity identity;
	struct err err;
	int code = message_identity(msg, &identity);

	agent->is_known = 1;
	if (agent->state == AGENT_PREPARING)
		agent_stop_preparing(agent);
	if (code) {
		err_set(&err, code, "network cards");
		ready_tell(agent, &err);
	} else if (agent->state == AGENT_BOOTING) {
		become_first(agent, &identity);
	} else if (identity.vmid == agent->vmid) {
		become_source(agent, &identity);
	} else {
		become_clone(agent, &identity);
	}
	ready_tell_again(agent);
}
