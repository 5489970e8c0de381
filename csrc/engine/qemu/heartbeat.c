/* heartbeat - see heartbeat.h */
#include "engine/qemu/heartbeat.h"

#include <assert.h>

#include "base/setting.h"
#include "engine/core/client.h"
#include "engine/qemu/qemu.h"
#include "engine/qemu/snapshot.h"

static int limit_ms(void)
{
	return setting_ms("GRIDCENTRIC_VM_TIMEOUT", HEARTBEAT_LIMIT_MS);
}

/* ---- QEMU -------------------------------------------------------------- */

/* A VM that does not answer is lost to QMP, which reports that. */
static void on_status(void *owner, json_t *result, const struct err *err)
{
	struct qemu_vm *vm = owner;

	vm->heartbeat.asks_qemu = 0;
}

static void ask_qemu(struct qemu_vm *vm)
{
	if (vm->heartbeat.asks_qemu)
		return;
	vm->heartbeat.asks_qemu = 1;
	qmp_call(&vm->vm.qmp, -1, on_status, vm, "query-status", NULL);
}

/* ---- the agent --------------------------------------------------------- */

/* Whether the agent may be asked: what is sent to a machine that is being
 * frozen would be part of its image. */
static int is_askable(const struct qemu_vm *vm)
{
	return !vm->snapshot || vm->snapshot->step == COPYING;
}

static void ask_agent(struct qemu_vm *vm)
{
	struct client *client = vm->domain->client;

	if (!client)
		return;
	wire_put(channel_out(&client->channel), WIRE_PING,
		 ++vm->heartbeat.number);
	channel_send(&client->channel);
}

/* Whether the agent has said something since the last beat. One that never
 * sent PING itself is of a version that knows none: it is not asked. */
static int is_alive(const struct qemu_vm *vm)
{
	struct client *client = vm->domain->client;
	int has_spoken;

	if (!client)
		return 0;
	has_spoken = client->has_spoken;
	client->has_spoken = 0;
	return has_spoken ||
	       (!client->knows_ping && !vm->heartbeat.is_agent_gone);
}

/* Whether the machine is of use without its agent. */
static int serves_users(const struct qemu_vm *vm)
{
	return vm->domain->vmid == 0 && vm->backend->engine->may_scale_itself;
}

/* The limit is over. Returns 1 if the machine has failed for that. */
static int give_up(struct qemu_vm *vm)
{
	struct heartbeat *heart = &vm->heartbeat;
	int seconds = limit_ms() / 1000;
	struct err err;

	if (heart->is_agent_gone && serves_users(vm))
		return 0;
	if (heart->is_agent_gone)
		err_say(&err, -GC_EVM,
			"its agent has ended and was not started again within "
			"%d s",
			seconds);
	else
		err_say(&err, -GC_EVM, "the machine has not answered for %d s",
			seconds);
	domain_fail(vm->domain, &err);
	return 1;
}

static void on_beat(struct loop_timer *timer)
{
	struct qemu_vm *vm =
		container_of(timer, struct qemu_vm, heartbeat.timer);
	struct heartbeat *heart = &vm->heartbeat;
	int64_t beat_ms = limit_ms() / HEARTBEAT_PARTS;
	int64_t since_ms = loop_now() - heart->last_ms;

	assert(vm->domain);
	heart->last_ms = loop_now();
	if (vm->domain->state != DOMAIN_READY)
		return; /* its end has a limit of its own */
	if (is_alive(vm))
		heart->silent_ms = 0;
	else if (is_askable(vm))
		heart->silent_ms += since_ms < beat_ms ? since_ms : beat_ms;
	if (heart->silent_ms >= beat_ms * HEARTBEAT_PARTS && give_up(vm))
		return;
	loop_timer_start(&vm->backend->engine->loop, timer, beat_ms, on_beat);
	ask_qemu(vm);
	if (is_askable(vm) && vm->domain->client &&
	    vm->domain->client->knows_ping)
		ask_agent(vm);
}

void heartbeat_start(struct qemu_vm *vm)
{
	struct heartbeat *heart = &vm->heartbeat;

	assert(vm->domain);
	if (heart->timer.loop)
		return;
	heart->last_ms = loop_now();
	heart->silent_ms = 0;
	loop_timer_start(&vm->backend->engine->loop, &heart->timer,
			 limit_ms() / HEARTBEAT_PARTS, on_beat);
}

void heartbeat_port(struct qemu_vm *vm, int is_open)
{
	vm->heartbeat.is_agent_gone = !is_open;
	if (!is_open && vm->domain && vm->domain->state == DOMAIN_READY)
		ledger_event(vm->backend->engine->ledger, "agent lost",
			     vm->domain->vmid,
			     "the agent has closed its port: it has ended", "");
}

void heartbeat_stop(struct qemu_vm *vm)
{
	loop_timer_stop(&vm->heartbeat.timer);
}
