/*
 * engine/qemu/backend - clones are virtual machines
 *
 * The image of a VM is a copy of its RAM, which all its clones map privately,
 * and the state of its devices. How each is made stands in the parts: see
 * qemu.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
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

static int start(struct backend *b, const void *order, struct err *err)
{
	struct qemu *qemu = b->data ? b->data : calloc(1, sizeof *qemu);

	if (!qemu)
		return err_set(err, -ENOMEM, "VM");
	qemu->event = on_event;
	qemu->unwanted = qemu_stock_lose;
	qemu->closed = on_closed;
	b->data = qemu;
	return qemu_master_start(b, order, err);
}

static void expect(struct backend *b, struct domain *source, int n)
{
	if (source->made)
		qemu_stock_expect(source->made, n);
}

static int snapshot(struct backend *b, struct image *image, struct err *err)
{
	return qemu_snapshot_begin(b, image, err);
}

static int spawn(struct backend *b, struct image *image, struct domain *domain,
		 const struct placement *at, struct err *err)
{
	return qemu_clone_begin(b, image, domain, err);
}

static void drop(struct backend *b, struct image *image)
{
	struct domain *source = image->source;

	qemu_snapshot_drop(image->made);
	image->made = NULL;
	/* the operation is over: what it used up is made anew */
	if (source && source->made)
		qemu_stock_refill(source->made);
}

static void message(struct backend *b, struct domain *from,
		    struct wire_msg *msg)
{
	if (!from->made)
		return;
	if (msg->type == WIRE_HELLO)
		qemu_master_hello(from->made);
	else if (msg->type == WIRE_PREPARED)
		qemu_snapshot_prepared(from->made, msg);
}

/* A text with READY that is no error is what went wrong in its post-clone,
 * which it lives with. */
static void ready(struct backend *b, struct domain *domain, struct err *err)
{
	struct qemu_vm *vm = domain->made;

	if (vm && vm->has_said)
		return;
	if (vm)
		vm->has_said = 1;
	text_clean(err->text);
	if (!err->code && err->text[0])
		ledger_event(b->engine->ledger, "hook failed", domain->vmid,
			     err->text, "");
	if (vm && vm->vm.is_clone)
		qemu_clone_said(vm, err);
	else
		b->said(domain, err);
	if (domain->state != DOMAIN_READY || domain->made != vm)
		return;
	heartbeat_start(vm);
	qemu_stock_refill(vm);
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

/* QEMU's own status says little of what has happened in the machine. */
static void ended(struct backend *b, struct domain *domain)
{
	struct qemu_vm *vm = domain->made;
	char line[160];

	if (!vm || domain->failure.code || domain->state == DOMAIN_STOPPING ||
	    domain->status != 0)
		return;
	vm_read_rest(&vm->vm);
	domain->status = domain->program_status;
	if (domain->status < 0)
		err_say(&domain->failure, -GC_EVM, "the machine ended: %s",
			vm_last_line(&vm->vm, line, sizeof line));
}

static void gone(struct backend *b, struct domain *domain)
{
	struct qemu_vm *vm = domain->made;

	if (!vm)
		return;
	domain->made = NULL;
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

	for (domain = b->engine->domains; domain; domain = domain->next) {
		struct qemu_vm *vm = domain->made;

		if (vm && vm->snapshot)
			ram_copy_cancel(&vm->snapshot->stock->copy);
		gone(b, domain);
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

const struct backend_ops backend_qemu = {
	.start = start,
	.has_hooks = 1,
	.expect = expect,
	.snapshot = snapshot,
	.spawn = spawn,
	.drop = drop,
	.message = message,
	.ready = ready,
	.stop = stop,
	.ended = ended,
	.gone = gone,
	.close = close_qemu,
};
