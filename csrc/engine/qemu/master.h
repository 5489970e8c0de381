/*
 * engine/qemu/master - the VM that clones are made from, booted from its image
 */
#ifndef GC_ENGINE_QEMU_MASTER_H
#define GC_ENGINE_QEMU_MASTER_H

#include "engine/qemu/qemu.h"

/*
 * START_VM: makes domain 0 a VM as the order says, and the backend ready to clone
 * it. When that VM has ended, once more with the same order: clones of the first
 * may live. Returns 0 or a negative code. A VM that does not boot fails later.
 */
int qemu_master_start(struct backend *b, struct wire_msg *order,
		      struct err *err);

/* Its agent has spoken for the first time. */
void qemu_master_hello(struct qemu_vm *vm);

#endif
