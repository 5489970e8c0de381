/* engine/qemu/clone - see engine/qemu/clone.h */
#include "engine/qemu/clone.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/core/client.h"
#include "engine/core/clone.h"
#include "engine/qemu/snapshot.h"
#include "engine/qemu/stock.h"
#include "engine/vm/open_again.h"

/* A command whose failure is the clone's. */
static void on_done(void *owner, json_t *result, const struct err *err)
{
	struct qemu_vm *vm = owner;

	if (err->code && vm->domain)
		domain_fail(vm->domain, err);
}

/* ---- loading ----------------------------------------------------------- */

void qemu_clone_event(struct qemu_vm *vm, const char *name, json_t *data)
{
	const char *status = json_string_value(json_object_get(data, "status"));
	struct qemu_snapshot *origin = vm->origin;
	struct err err;

	if (!origin || strcmp(name, "MIGRATION") != 0 || !status)
		return;
	if (strcmp(status, "failed") == 0) {
		err_say(&err, -GC_EVM, "QEMU could not load the state");
		on_done(vm, NULL, &err);
	} else if (strcmp(status, "completed") == 0) {
		vm->origin = NULL;
		qmp_call(&vm->vm.qmp, -1, on_done, vm, "cont", NULL);
		qemu_send_identity(vm, origin->number);
		qemu_snapshot_drop(origin);
	}
}

/* A command meant for people: what it prints is its error. */
static void on_forwarded(void *owner, json_t *result, const struct err *err)
{
	const char *text = json_string_value(result);
	struct qemu_vm *vm = owner;
	struct err why = *err;

	if (!why.code && text && *text)
		err_say(&why, -EADDRINUSE, "%.*s", (int)strcspn(text, "\r\n"),
			text);
	on_done(vm, NULL, &why);
}

static void load(struct qemu_vm *vm, int state)
{
	const struct vm_spec *spec = &qemu_of(vm->backend)->spec;
	struct qmp *qmp = &vm->vm.qmp;
	char command[128];

	snprintf(command, sizeof command, "hostfwd_add card0 tcp:%s:%d-:%d",
		 vm->domain->ip, vm_host_port(spec), spec->port);
	if (spec->port && !spec->has_tap)
		qmp_call(qmp, -1, on_forwarded, vm, "human-monitor-command",
			 "{s:s}", "command-line", command);
	qmp_call(qmp, -1, on_done, vm, "migrate-set-capabilities",
		 "{s:[{s:s,s:b}]}", "capabilities", "capability", "events",
		 "state", 1);
	qmp_call(qmp, state, on_done, vm, "getfd", "{s:s}", "fdname", "state");
	qmp_call(qmp, -1, on_done, vm, "migrate-incoming", "{s:s}", "uri",
		 "fd:state");
}

/* A VM that waits for a state, or a new one. */
static struct qemu_vm *find_vm(struct backend *b,
			       struct qemu_snapshot *snapshot,
			       struct domain *domain, struct err *err)
{
	struct qemu_vm *vm = qemu_stock_take(snapshot->stock);

	if (vm)
		return vm;
	vm = qemu_vm_new(b);
	if (!vm)
		err_set(err, -ENOMEM, "clone");
	else if (qemu_vm_launch(vm, snapshot->stock->copy.to, 1, domain, err)) {
		free(vm);
		vm = NULL;
	}
	return vm;
}

/* QEMU answers: the process is the domain's from now on. */
static void on_alive(void *owner, json_t *result, const struct err *err)
{
	struct qemu_vm *vm = owner;

	on_done(vm, NULL, err);
	if (!err->code && vm->domain)
		qemu_vm_hand_over(vm);
}

int qemu_clone_begin(struct backend *b, struct image *image,
		     struct domain *domain, struct err *err)
{
	struct qemu_snapshot *snapshot = image->data;
	struct qemu_vm *vm = find_vm(b, snapshot, domain, err);
	int state;

	assert(snapshot->step == DONE && snapshot->uses > 0);
	if (!vm)
		return err->code;
	/* each reader needs a position of its own */
	state = open_again(snapshot->state, O_RDONLY);
	if (state < 0)
		err_set(err, state, "state of the devices");
	if (state < 0 || qemu_disk_clone(vm, snapshot->disk, err) ||
	    qemu_vm_adopt(vm, domain, err)) {
		if (state >= 0)
			close(state);
		qemu_vm_end(vm); /* its domain ends without it */
		return err->code;
	}
	/* it has said HELLO in the VM that was cloned */
	client_set_role(domain->client, ROLE_AGENT);
	vm->origin = snapshot;
	snapshot->uses++;
	qmp_call(&vm->vm.qmp, -1, on_alive, vm, "query-status", NULL);
	load(vm, state);
	clone_begun(domain);
	return 0;
}
