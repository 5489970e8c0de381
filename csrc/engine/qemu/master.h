/*
 * engine/qemu/master - the VM that clones are made from, booted from its image
 */
#ifndef GC_ENGINE_QEMU_MASTER_H
#define GC_ENGINE_QEMU_MASTER_H

#include "engine/qemu/qemu.h"

/*
 * Makes domain 0 a VM of that kind, and the backend ready to clone it. Once
 * more, when that VM has ended, with an order that is the same byte by byte:
 * clones of the first may live. Returns
 * 0 or a negative code; that it does not boot is told later, by its end.
 */
int qemu_master_start(struct backend *b, const struct qemu_order *order,
		      struct err *err);

/* Its agent has spoken for the first time. */
void qemu_master_hello(struct qemu_vm *vm);

#endif
