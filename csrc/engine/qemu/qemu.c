/* qemu - see qemu.h */
#include "engine/qemu/qemu.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/core/client.h"

#define RANDOM_BYTES 64		    /* for a guest's random generator */
#define USER_ADDRESS "10.0.2.15/24" /* in each user network of QEMU */
#define USER_GATEWAY "10.0.2.2"

/* ---- what happens to a VM ---------------------------------------------- */

static struct qemu_vm *of_qmp(struct qmp *qmp)
{
	return container_of(container_of(qmp, struct vm, qmp), struct qemu_vm,
			    vm);
}

static void on_event(struct qmp *qmp, const char *name, json_t *data)
{
	struct qemu_vm *vm = of_qmp(qmp);

	if (vm->domain)
		qemu_of(vm->backend)->event(vm, name, data);
}

static void on_lost(struct qmp *qmp, const struct err *err)
{
	struct qemu_vm *vm = of_qmp(qmp);

	/* the end of its process says that already */
	if (err->code == -ECONNRESET)
		return;
	if (vm->domain)
		domain_fail(vm->domain, err);
	else if (vm->waits_in)
		qemu_of(vm->backend)->spare_lost(vm);
}

/* Its process ended before it was a domain's. */
static void on_ended(struct vm *ended)
{
	struct qemu_vm *vm = container_of(ended, struct qemu_vm, vm);
	char line[128];
	struct err err;

	vm_read_rest(ended);
	err_say(&err, -GC_EVM, "QEMU has ended: %s",
		vm_last_line(ended, line, sizeof line));
	if (vm->domain)
		domain_fail(vm->domain, &err);
	else if (vm->waits_in)
		qemu_of(vm->backend)->spare_lost(vm);
}

static void on_closed(struct vm *closed)
{
	struct qemu_vm *vm = container_of(closed, struct qemu_vm, vm);

	if (qemu_of(vm->backend))
		qemu_of(vm->backend)->closed(vm);
	free(vm);
}

/* ---- making one -------------------------------------------------------- */

struct qemu_vm *qemu_vm_new(struct backend *backend)
{
	struct qemu_vm *vm = calloc(1, sizeof *vm);

	if (!vm)
		return NULL;
	vm->backend = backend;
	vm->vm.loop = &backend->engine->loop;
	vm->vm.event = on_event;
	vm->vm.lost = on_lost;
	vm->vm.ended = on_ended;
	vm->vm.closed = on_closed;
	return vm;
}

int qemu_vm_launch(struct qemu_vm *vm, struct ram *ram, int is_clone,
		   struct domain *domain, struct err *err)
{
	struct qemu *qemu = qemu_of(vm->backend);
	struct vm_plan plan = { .spec = &qemu->spec,
				.image = &qemu->image,
				.ram = ram,
				.lan = &qemu->lan,
				.forward =
					domain && !is_clone ? domain->ip : NULL,
				.claim = vm->backend->engine->home.claim,
				.is_kvm = qemu->is_kvm || vm->is_probe,
				.is_clone = is_clone,
				.is_probe = vm->is_probe };
	int code;

	if (qemu->spec.has_tap && !vm->is_probe) {
		if (tap_open(&qemu->bridge, domain->vmid, &vm->tap, err))
			return err->code;
		plan.far.tap = vm->tap.fd;
		plan.tap_mac = vm->tap.mac;
	}
	code = vm_launch(&vm->vm, &plan, err);
	if (!vm->tap.number)
		return code;
	close(vm->tap.fd); /* QEMU has it */
	vm->tap.fd = -1;
	if (code)
		tap_close(&qemu->bridge, &vm->tap);
	else
		snprintf(domain->ip, sizeof domain->ip, "%.*s",
			 (int)strcspn(vm->tap.address, "/"), vm->tap.address);
	return code;
}

void qemu_vm_end(struct qemu_vm *vm)
{
	tap_close(&qemu_of(vm->backend)->bridge, &vm->tap);
	vm_end(&vm->vm);
}

int qemu_vm_adopt(struct qemu_vm *vm, struct domain *domain, struct err *err)
{
	assert(!vm->domain && !domain->data);
	if (domain_use_channel(domain, vm_take_channel(&vm->vm), ROLE_AGENT,
			       err))
		return err->code;
	domain->data = vm;
	vm->domain = domain;
	return 0;
}

int qemu_vm_hand_over(struct qemu_vm *vm)
{
	int code = domain_watch(vm->domain, vm->vm.pid);

	/* else it is still this backend's to kill */
	if (!code)
		vm_take_process(&vm->vm);
	return code;
}

int qemu_vm_plug(struct qemu_vm *vm, struct err *err)
{
	struct bridge *bridge = &qemu_of(vm->backend)->bridge;
	int code = vm->vm.lan ? lan_name(vm->vm.lan, vm->domain->vmid) : 0;

	if (code)
		return err_set(err, code, "network of domain %d",
			       vm->domain->vmid);
	return vm->tap.number ? tap_plug(bridge, &vm->tap, err) : 0;
}

/* ---- who it is --------------------------------------------------------- */

/* "chat-3", of the engine's "chat-4711" and the vmid. */
static void host_name(const struct domain *domain, char *name, size_t size)
{
	const char *engine = domain->engine->name;
	const char *dash = strrchr(engine, '-');
	int len = dash ? (int)(dash - engine) : (int)strlen(engine);
	int i;

	snprintf(name, size, "%.*s-%d", len < 48 ? len : 48, engine,
		 domain->vmid);
	for (i = 0; name[i]; i++)
		if (name[i] == '_' || name[i] == '.')
			name[i] = '-';
}

static void put_card(struct wire_buf *out, const char *mac, const char *address,
		     const char *gateway)
{
	wire_put_text(out, mac);
	wire_put_text(out, address);
	wire_put_text(out, gateway);
}

void qemu_send_identity(struct qemu_vm *vm, int snapshot)
{
	struct qemu *qemu = qemu_of(vm->backend);
	struct domain *domain = vm->domain;
	char random[RANDOM_BYTES], name[64], mac[18], address[20];
	struct wire_buf *out;

	if (!domain || !domain->client)
		return;
	if (getrandom(random, sizeof random, 0) != sizeof random)
		abort(); /* it gives up to 256 bytes whole */
	host_name(domain, name, sizeof name);
	out = channel_out(&domain->client->channel);
	wire_begin(out, WIRE_IDENTITY, 0);
	wire_put_int(out, snapshot);
	wire_put_int(out, domain->vmid);
	wire_put_int(out, domain->op);
	wire_put_text(out, name);
	wire_put_int(out, clock_wall_ns());
	wire_put_str(out, random, sizeof random);
	wire_put_int(out, qemu->spec.port);
	if (qemu->spec.has_tap)
		put_card(out, vm->tap.mac, vm->tap.address, vm->tap.gateway);
	else
		put_card(out, "", USER_ADDRESS, USER_GATEWAY);
	if (qemu->spec.has_lan) {
		lan_card(domain->vmid, mac, address);
		put_card(out, mac, address, "");
	}
	wire_end(out);
	channel_send(&domain->client->channel);
}
