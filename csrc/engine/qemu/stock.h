/*
 * engine/qemu/stock - what is made ahead of a clone() that is likely soon
 *
 * When a ticket is granted, or always (spare), the RAM of its owner's VM is copied while that
 * runs, and QEMU processes are started, which map the copy and wait for the
 * state of the devices. clone() then has to wait for the rest only.
 */
#ifndef GC_ENGINE_QEMU_STOCK_H
#define GC_ENGINE_QEMU_STOCK_H

#include "engine/qemu/qemu.h"
#include "engine/vm/ram_copy.h"

struct qemu_stock {
	struct ram_copy copy;	 /* to copy.to, which clones map */
	struct qemu_vm *waiting; /* VMs that were started, oldest first */
	int nwaiting;
	struct err err; /* why the copy failed */
	/* A part of the copy is done; NULL: nobody needs it yet. */
	void (*copied)(struct qemu_stock *stock, struct err *err);
	struct qemu_snapshot *snapshot; /* whose affair that is */
};

/* An empty stock for clones of vm: no copy, no VMs. NULL on error. */
struct qemu_stock *qemu_stock_new(struct qemu_vm *vm, struct err *err);

/* n clones of vm may be asked for soon: sees to its stock, or, n 0, drops it,
 * but for what the spec wants to be kept of the first VM at any time.
 * What cannot be made is told to nobody: a clone() will find out. */
void qemu_stock_expect(struct qemu_vm *vm, int n);

/* What is to be kept at any time has been used up, perhaps: it is made anew. */
void qemu_stock_refill(struct qemu_vm *vm);

/* Takes a VM that waits; NULL: there is none. */
struct qemu_vm *qemu_stock_take(struct qemu_stock *stock);

/* A VM that waits is of no use any more: it is ended. */
void qemu_stock_lose(struct qemu_vm *vm);

/* All of it is gone, with the VMs that still wait. NULL is harmless. */
void qemu_stock_free(struct qemu_stock *stock);

#endif
