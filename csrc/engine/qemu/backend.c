/*
 * engine/qemu/backend - clones are virtual machines
 *
 * The image of a VM is a copy of its RAM, which all its clones map privately,
 * and the state of its devices. The parts that make them: qemu.h.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/core/client.h"
#include "engine/qemu/clone.h"
#include "engine/qemu/master.h"
#include "engine/qemu/qemu.h"
#include "engine/qemu/snapshot.h"
#include "engine/qemu/stock.h"

/* The guest's kernel says so through pvpanic, before anything else is known. */
static void on_panic(struct qemu_vm *vm)
{
	char line[128];
	struct err err;

	err_say(&err, -GC_EVM, "its kernel has panicked: %s",
		vm_last_line(&vm->vm, line, sizeof line));
	domain_fail(vm->domain, &err);
}

static void on_event(struct qemu_vm *vm, const char *name, json_t *data)
{
	const char *id = json_string_value(json_object_get(data, "id"));

	if (strcmp(name, "GUEST_PANICKED") == 0)
		on_panic(vm);
	if (strcmp(name, "VSERPORT_CHANGE") == 0 && id &&
	    strcmp(id, VM_AGENT_PORT) == 0)
		heartbeat_port(vm, json_is_true(json_object_get(data, "open")));
	qemu_clone_event(vm, name, data);
	qemu_disk_event(vm, name, data);
}

static void on_closed(struct qemu_vm *vm)
{
	qemu_disk_free(&vm->disk);
}

static int start(struct backend *b, struct wire_msg *order, struct err *err)
{
	struct qemu *qemu = b->data ? b->data : calloc(1, sizeof *qemu);

	if (!qemu)
		return err_set(err, -ENOMEM, "VM");
	qemu->event = on_event;
	qemu->spare_lost = qemu_stock_lose;
	qemu->closed = on_closed;
	b->data = qemu;
	return qemu_master_start(b, order, err);
}

static void expect(struct backend *b, struct domain *source, int n)
{
	if (source->data)
		qemu_stock_expect(source->data, n);
}

static int snapshot(struct backend *b, struct image *image, struct err *err)
{
	return qemu_snapshot_begin(b, image, err);
}

static int spawn(struct backend *b, struct image *image, struct domain *domain,
		 struct err *err)
{
	return qemu_clone_begin(b, image, domain, err);
}

static void drop(struct backend *b, struct image *image)
{
	struct domain *source = image->source;

	qemu_snapshot_drop(image->data);
	image->data = NULL;
	/* the operation is over: what it used up is made again */
	if (source && source->data)
		qemu_stock_refill(source->data);
}

static void message(struct backend *b, struct domain *from,
		    struct wire_msg *msg)
{
	if (!from->data)
		return;
	if (msg->type == WIRE_HELLO)
		qemu_master_hello(from->data);
	else if (msg->type == WIRE_PREPARED)
		qemu_snapshot_prepared(from->data, msg);
}

/* note: of a clone, what went wrong in its post-clone, which it lives with; of
 * a first VM, what its owner should know. */
static int admit(struct backend *b, struct domain *domain, const char *note,
		 struct err *err)
{
	struct qemu_vm *vm = domain->data;

	assert(vm && vm->domain == domain);
	if (note[0] && vm->vm.is_clone)
		ledger_event(b->engine->ledger, "hook failed", domain->vmid,
			     note, "");
	else if (note[0])
		domain_announce(domain, note);
	return vm->vm.is_clone ? qemu_vm_plug(vm, err) : 0;
}

static void admitted(struct backend *b, struct domain *domain)
{
	heartbeat_start(domain->data);
	qemu_stock_refill(domain->data);
}

static int stop(struct backend *b, struct domain *domain, int grace_ms)
{
	if (!domain->client)
		return 0;
	wire_put(channel_out(&domain->client->channel), WIRE_STOP, WIRE_INT(0),
		 WIRE_INT(domain->vmid), WIRE_INT(grace_ms));
	channel_send(&domain->client->channel);
	return 1;
}

/* QEMU's own status says little about what happened in the machine. */
static void explain_end(struct backend *b, struct domain *domain)
{
	struct qemu_vm *vm = domain->data;
	char line[160];

	if (!vm || domain->failure.code || domain->state == DOMAIN_STOPPING ||
	    domain->process.status != 0)
		return;
	vm_read_rest(&vm->vm);
	domain->process.status = domain->program_status;
	if (domain->process.status < 0)
		err_say(&domain->failure, -GC_EVM, "the machine ended: %s",
			vm_last_line(&vm->vm, line, sizeof line));
}

static void forget(struct backend *b, struct domain *domain)
{
	struct qemu_vm *vm = domain->data;

	if (!vm)
		return;
	assert(vm->domain == domain && !vm->waits_in);
	domain->data = NULL;
	heartbeat_stop(vm);
	if (vm->snapshot)
		qemu_snapshot_source_gone(vm->snapshot);
	qemu_stock_free(vm->stock);
	vm->stock = NULL;
	qemu_snapshot_drop(vm->origin);
	vm->origin = NULL;
	vm->domain = NULL;
	qemu_vm_end(vm);
}

static void close_qemu(struct backend *b)
{
	struct qemu *qemu = qemu_of(b);
	struct domain *domain;

	TAILQ_FOREACH(domain, &b->engine->domains, link) {
		struct qemu_vm *vm = domain->data;

		if (vm && vm->snapshot)
			ram_copy_cancel(&vm->snapshot->stock->copy);
		forget(b, domain);
	}
	loop_timer_stop(&qemu->probe_timer);
	if (qemu->probe)
		qemu_vm_end(qemu->probe);
	if (qemu->is_open) {
		lan_free(&qemu->lan);
		bridge_close(&qemu->bridge);
		vm_image_close(&qemu->image);
	}
	free(qemu);
	b->data = NULL;
}

/* A VM reaches its descendants in the network that they share, if there is one. */
static int endpoint_for(const struct backend *b, const struct domain *domain,
			const struct client *viewer, char *ip, int *port)
{
	const struct qemu *qemu = qemu_of(b);

	if (viewer->role != ROLE_AGENT || !qemu->spec.has_lan)
		return 0;
	lan_address(domain->vmid, ip);
	*port = qemu->spec.port;
	return 1;
}

const struct backend_ops backend_qemu = {
	.clones = "virtual machines",
	.order = WIRE_START_VM,
	.has_hooks = 1,
	.late_because = "the virtual machine did not come up",
	.start = start,
	.expect = expect,
	.snapshot = snapshot,
	.spawn = spawn,
	.drop = drop,
	.message = message,
	.admit = admit,
	.admitted = admitted,
	.stop = stop,
	.explain_end = explain_end,
	.forget = forget,
	.endpoint_for = endpoint_for,
	.close = close_qemu,
};
