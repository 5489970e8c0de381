/* engine/qemu/stock - see engine/qemu/stock.h */
#include "engine/qemu/stock.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define REST_MS 1000 /* between an unused stock and the next */

/* Copied ahead: an error waits until the copy is needed. */
static void on_copied(struct ram_copy *copy, struct err *err)
{
	struct qemu_stock *stock = container_of(copy, struct qemu_stock, copy);

	stock->err = *err;
	if (stock->copied)
		stock->copied(stock, err);
}

struct qemu_stock *qemu_stock_new(struct qemu_vm *vm, struct err *err)
{
	struct qemu_stock *stock = calloc(1, sizeof *stock);
	struct ram *to;

	if (!stock) {
		err_set(err, -ENOMEM, "clone");
		return NULL;
	}
	to = ram_new(vm->vm.ram->size, err);
	if (!to) {
		free(stock);
		return NULL;
	}
	TAILQ_INIT(&stock->waiting);
	stock->copy.loop = &vm->backend->engine->loop;
	stock->copy.from = ram_use(vm->vm.ram);
	stock->copy.to = to;
	stock->copy.pid = vm->domain->process.pid;
	stock->copy.is_private = vm->vm.is_clone;
	stock->copy.done = on_copied;
	return stock;
}

/* Starts one more VM that waits. */
static int start_spare(struct qemu_vm *source, struct qemu_stock *stock)
{
	struct qemu_vm *vm = qemu_vm_new(source->backend);
	struct err err;

	if (!vm)
		return -ENOMEM;
	if (qemu_vm_launch(vm, stock->copy.to, 1, NULL, &err)) {
		free(vm);
		return err.code;
	}
	qemu_disk_expect(vm, source);
	TAILQ_INSERT_TAIL(&stock->waiting, vm, link);
	vm->waits_in = stock;
	stock->nwaiting++;
	return 0;
}

/* How many VMs are kept in any case: for the first VM, unless it is about to
 * end. */
static int count_kept(const struct qemu_vm *vm)
{
	const struct domain *domain = vm->domain;

	return domain && domain->vmid == 0 && domain->state == DOMAIN_READY &&
			       !domain->engine->is_ending
		       ? qemu_of(vm->backend)->spec.spare
		       : 0;
}

void qemu_stock_expect(struct qemu_vm *vm, int n)
{
	struct err err;

	if (n < count_kept(vm))
		n = count_kept(vm);
	if (n == 0) {
		if (vm->stock)
			vm->dropped_ms = loop_now();
		qemu_stock_free(vm->stock);
		vm->stock = NULL;
		return;
	}
	/* its owner asks for tickets and gives them back: not worth it */
	if (vm->dropped_ms && loop_now() - vm->dropped_ms < REST_MS)
		return;
	/* a snapshot under way asks what was written since its own copy began */
	if (!vm->stock && vm->snapshot)
		return;
	if (!vm->stock) {
		vm->stock = qemu_stock_new(vm, &err);
		if (vm->stock && ram_copy(&vm->stock->copy, COPY_AHEAD, &err)) {
			qemu_stock_free(vm->stock);
			vm->stock = NULL;
		}
	}
	if (!vm->stock)
		return;
	/* a tap has its domain's name, which is not known yet */
	if (qemu_of(vm->backend)->spec.has_tap)
		return;
	while (vm->stock->nwaiting < n && vm->stock->nwaiting < VM_MAX_AHEAD)
		if (start_spare(vm, vm->stock))
			break;
}

void qemu_stock_refill(struct qemu_vm *vm)
{
	if (!vm->stock)
		qemu_stock_expect(vm, 0);
}

static void remove_spare(struct qemu_stock *stock, struct qemu_vm *vm)
{
	assert(vm->waits_in == stock && stock->nwaiting > 0);
	TAILQ_REMOVE(&stock->waiting, vm, link);
	stock->nwaiting--;
	vm->waits_in = NULL;
}

struct qemu_vm *qemu_stock_take(struct qemu_stock *stock)
{
	struct qemu_vm *vm = TAILQ_FIRST(&stock->waiting);

	if (vm)
		remove_spare(stock, vm);
	return vm;
}

void qemu_stock_lose(struct qemu_vm *vm)
{
	remove_spare(vm->waits_in, vm);
	qemu_vm_end(vm);
}

static void on_ended(struct ram_copy *copy)
{
	struct qemu_stock *stock = container_of(copy, struct qemu_stock, copy);

	ram_drop(copy->from);
	ram_drop(copy->to);
	free(stock);
}

void qemu_stock_free(struct qemu_stock *stock)
{
	struct qemu_vm *vm;

	if (!stock)
		return;
	while ((vm = qemu_stock_take(stock)))
		qemu_vm_end(vm);
	assert(stock->nwaiting == 0);
	ram_copy_end(&stock->copy, on_ended);
}
