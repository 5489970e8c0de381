/*
 * engine/qemu/stock - what is made before a clone() that is likely soon
 *
 * When a ticket is granted, or always (spare), the RAM of its owner's VM is copied
 * while the VM runs, and QEMU processes are started, which map the copy and wait
 * for the state of the devices. clone() then waits for the rest only.
 */
#ifndef GC_ENGINE_QEMU_STOCK_H
#define GC_ENGINE_QEMU_STOCK_H

#include "engine/qemu/qemu.h"
#include "engine/vm/ram_copy.h"

struct qemu_stock {
	struct ram_copy copy;	     /* to copy.to, which clones map */
	struct qemu_vm_list waiting; /* VMs that were started, oldest first */
	int nwaiting;
	struct err err; /* why the copy failed */
	/* A part of the copy is done; NULL: nobody needs it yet. */
	void (*copied)(struct qemu_stock *stock, struct err *err);
	struct qemu_snapshot *snapshot; /* the snapshot this stock belongs to */
};

/* An empty stock for clones of vm: no copy, no VMs. NULL on error. */
struct qemu_stock *qemu_stock_new(struct qemu_vm *vm, struct err *err);

/* n clones of vm may be asked for soon: makes its stock. n 0: drops it, except for
 * what the spec keeps for the first VM at any time. A failure is reported to
 * nobody: clone() will meet it again. */
void qemu_stock_expect(struct qemu_vm *vm, int n);

/* Makes again what is kept at any time, if it has been used up. */
void qemu_stock_refill(struct qemu_vm *vm);

/* Takes the VM that has waited longest; NULL: there is none. */
struct qemu_vm *qemu_stock_take(struct qemu_stock *stock);

/* A VM that waits has ended or does not answer: it is ended. */
void qemu_stock_lose(struct qemu_vm *vm);

/* Frees it, and ends the VMs that still wait. NULL is harmless. */
void qemu_stock_free(struct qemu_stock *stock);

#endif
