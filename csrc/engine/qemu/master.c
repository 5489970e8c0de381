/*
 * engine/qemu/master - see engine/qemu/master.h
 *
 * A /dev/kvm that exists and makes machines may still run no kernel: under some
 * hypervisors Debian's spins in early boot. So "auto" boots the image's kernel
 * once, with nothing else. It finds no root file system, panics, and QEMU ends,
 * within half a second. If it does not, VMs are emulated.
 */
#include "engine/qemu/master.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/core/client.h"

#define HELLO_MS 1000 /* after which an agent says HELLO again */
#define PROBE_MS 5000 /* for a kernel to panic */

/* ---- the VM ------------------------------------------------------------ */

/* The owner is shown its console. */
static void on_console(struct vm *said, const char *data, size_t len)
{
	struct qemu_vm *vm = container_of(said, struct qemu_vm, vm);
	struct client *owner = vm->backend->engine->owner;
	struct wire_buf *out;

	if (!owner)
		return;
	out = channel_out(&owner->channel);
	if (out->len > CHANNEL_MAX_UNSENT / 4)
		return; /* it does not read: the tail is kept here */
	wire_begin(out, WIRE_CONSOLE, 0);
	wire_put_int(out, 0);
	wire_put_str(out, data, len);
	wire_end(out);
	channel_send(&owner->channel);
}

/* One with RAM of its own; domain NULL: the probe, of whose end `ended` is told.
 * NULL on error. */
static struct qemu_vm *launch(struct backend *b, struct domain *domain,
			      void (*ended)(struct vm *), struct err *err)
{
	int64_t size = (int64_t)qemu_of(b)->spec.memory_mib << 20;
	struct ram *ram = ram_new(size, err);
	struct qemu_vm *vm = ram ? qemu_vm_new(b) : NULL;

	if (ram && !vm)
		err_set(err, -ENOMEM, "VM");
	if (vm && domain) {
		vm->vm.said = on_console;
	} else if (vm) {
		vm->vm.ended = ended;
		vm->is_probe = 1;
	}
	if (vm && qemu_vm_launch(vm, ram, 0, domain, err)) {
		free(vm);
		vm = NULL;
	}
	ram_drop(ram);
	return vm;
}

static int boot(struct backend *b, struct domain *domain, struct err *err)
{
	struct qemu_vm *vm = launch(b, domain, NULL, err);

	if (!vm)
		return err->code;
	if (qemu_disk_boot(vm, err) || qemu_vm_adopt(vm, domain, err)) {
		qemu_vm_end(vm);
		return err->code;
	}
	if (qemu_vm_plug(vm, err))
		return err->code; /* it ends with its domain */
	qemu_vm_hand_over(vm);
	return 0;
}

void qemu_master_hello(struct qemu_vm *vm)
{
	const struct qemu *qemu = qemu_of(vm->backend);
	int64_t since = loop_now() - vm->hello_ms;

	if (vm->hello_ms && since < HELLO_MS)
		return;
	if (!vm->hello_ms && vm->domain->state == DOMAIN_STARTING)
		domain_announce(vm->domain, qemu->probe_text);
	vm->hello_ms = loop_now();
	qemu_send_identity(vm, 0);
}

/* ---- whether KVM is usable --------------------------------------------- */

static void boot_at_last(struct backend *b, int is_kvm)
{
	struct qemu *qemu = qemu_of(b);
	struct domain *domain = domain_find(b->engine, 0);
	struct err err;

	assert(qemu->probe && qemu->is_open);
	loop_timer_stop(&qemu->probe_timer);
	qemu->probe = NULL;
	qemu->is_kvm = is_kvm;
	if (domain && !domain->data && boot(b, domain, &err))
		domain_fail(domain, &err);
}

static void say_emulated(struct qemu *qemu, const char *why)
{
	snprintf(qemu->probe_text, sizeof qemu->probe_text,
		 "the machine is emulated because KVM is unavailable: %s", why);
}

static void on_probe_ended(struct vm *ended)
{
	struct qemu_vm *vm = container_of(ended, struct qemu_vm, vm);
	struct backend *b = vm->backend;
	char line[128];
	int has_run;

	vm_read_rest(ended);
	has_run = memmem(ended->tail, ended->tail_len, "Kernel panic", 12) !=
		  NULL;
	if (!has_run)
		say_emulated(qemu_of(b),
			     vm_last_line(ended, line, sizeof line));
	qemu_vm_end(vm);
	boot_at_last(b, has_run);
}

static void on_probe_late(struct loop_timer *timer)
{
	struct qemu *qemu = container_of(timer, struct qemu, probe_timer);
	struct backend *b = qemu->probe->backend;

	say_emulated(qemu, "no kernel comes up under it");
	qemu_vm_end(qemu->probe);
	boot_at_last(b, 0);
}

/* A disk has no kernel of which nothing but a panic is to come. */
static int can_probe(const struct qemu *qemu)
{
	return access("/dev/kvm", R_OK | W_OK) == 0 && qemu->image.kernel >= 0;
}

static int start_probe(struct backend *b)
{
	struct qemu *qemu = qemu_of(b);
	struct err err;

	qemu->probe = launch(b, NULL, on_probe_ended, &err);
	if (!qemu->probe)
		return err.code;
	loop_timer_start(&b->engine->loop, &qemu->probe_timer, PROBE_MS,
			 on_probe_late);
	return 0;
}

/* ---- START_VM ---------------------------------------------------------- */

/* What all VMs of the engine have in common. */
static int open_common(struct backend *b, const struct qemu_order *order,
		       struct err *err)
{
	struct qemu *qemu = qemu_of(b);
	int code = vm_image_open(&qemu->image, order->spec.image, err);

	if (code)
		return code;
	code = lan_init(&qemu->lan, &b->engine->loop);
	if (code)
		err_set(err, code, "network");
	else if (order->spec.has_tap)
		code = bridge_open(&qemu->bridge, b->engine->home.number, err);
	if (!code) {
		qemu->order = *order;
		qemu->spec = order->spec;
		qemu->is_kvm = strcmp(order->accel, "kvm") == 0;
		qemu->is_open = 1;
		return 0;
	}
	lan_free(&qemu->lan);
	vm_image_close(&qemu->image);
	return code;
}

/* Finds out whether KVM is usable, where the order leaves that open. Returns 1
 * when a probe is under way, for which the VM waits. */
static int look_for_kvm(struct backend *b)
{
	struct qemu *qemu = qemu_of(b);

	if (qemu->probe)
		return 1;
	if (strcmp(qemu->order.accel, "auto") != 0 || qemu->is_probed)
		return 0;
	qemu->is_probed = 1;
	if (can_probe(qemu) && !start_probe(b))
		return 1;
	say_emulated(qemu, access("/dev/kvm", R_OK | W_OK) < 0
				   ? strerror(errno)
				   : "the image is a disk, which cannot be "
				     "probed; accel = \"kvm\" forces it");
	return 0;
}

static int number(struct wire_msg *msg, int64_t most, struct err *err)
{
	int64_t value = wire_int(msg);

	if (value < 0 || value > most)
		err_say(err, -EINVAL, "virtual machine: %lld is out of range",
			(long long)value);
	return (int)value;
}

static int parse_order(struct wire_msg *msg, struct qemu_order *order,
		       struct err *err)
{
	struct vm_spec *spec = &order->spec;
	char network[8];
	int is_long;

	memset(order, 0, sizeof *order);
	spec->port = number(msg, 65535, err);
	is_long = wire_copy(msg, spec->image, sizeof spec->image);
	spec->memory_mib = number(msg, 1 << 20, err);
	spec->cpus = number(msg, 255, err);
	is_long += wire_copy(msg, order->accel, sizeof order->accel);
	is_long += wire_copy(msg, network, sizeof network);
	spec->has_lan = wire_int(msg) != 0;
	spec->spare = number(msg, VM_MAX_AHEAD, err);
	spec->has_tap = strcmp(network, "tap") == 0;
	if (is_long)
		err_set(err, -ENAMETOOLONG, "virtual machine");
	return err->code;
}

/* What clones of this VM take, and where it is reached. */
static void describe(struct engine *engine, const struct vm_spec *spec)
{
	engine->clone_cpus = spec->cpus;
	engine->clone_memory = (int64_t)spec->memory_mib << 20;
	engine->may_scale_itself = spec->has_lan;
	engine->program_port = spec->port;
	engine->forwarded_port = vm_host_port(spec);
}

int qemu_master_start(struct backend *b, struct wire_msg *msg, struct err *err)
{
	struct qemu *qemu = qemu_of(b);
	struct qemu_order order;
	struct domain *domain;

	if (parse_order(msg, &order, err))
		return err->code;
	/* clones of the first one may live: it has to go with them */
	if (qemu->is_open && memcmp(&qemu->order, &order, sizeof order) != 0)
		return err_say(err, -EINVAL, "the VM was another one before");
	if (!qemu->is_open && open_common(b, &order, err))
		return err->code;
	domain = domain_new(b->engine, 0, NULL, err);
	if (!domain)
		return err->code;
	describe(b->engine, &order.spec);
	if (!domain_lease(domain, NULL, 0, err) &&
	    (look_for_kvm(b) || !boot(b, domain, err)))
		return 0;
	domain_fail(domain, err);
	return err->code;
}
