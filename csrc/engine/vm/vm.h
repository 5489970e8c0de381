/*
 * vm - one QEMU process: its channels, its console, its end
 *
 *	vm_launch(vm, &plan, &err)	starts it; what it says comes by
 *					vm->qmp and vm->channel
 *	vm_end(vm)			kills it, unless a domain does that
 *
 * What it is started with, and is kept from, see engine/vm/command.h.
 */
#ifndef GC_ENGINE_VM_VM_H
#define GC_ENGINE_VM_VM_H

#include <sys/types.h>

#include "base/err.h"
#include "base/loop.h"
#include "engine/net/lan.h"
#include "engine/vm/command.h"
#include "engine/vm/qmp.h"
#include "engine/vm/ram.h"

#define VM_TAIL 4096 /* bytes of the console that are kept */

struct vm {
	struct loop *loop;
	struct qmp qmp;
	int channel;		  /* to its agent; -1: it is a client's now */
	pid_t pid;		  /* 0: it was not started, or is reaped */
	struct loop_source pidfd; /* until its end is a domain's affair */
	struct loop_source console;
	char tail[VM_TAIL]; /* of the console */
	size_t tail_len;
	struct ram *ram;      /* its own, or, of a clone, what it maps */
	struct lan_port *lan; /* NULL: none */
	int is_clone;
	/* as in struct qmp: */
	void (*event)(struct qmp *qmp, const char *name, json_t *data);
	void (*lost)(struct qmp *qmp, const struct err *err);
	/* bytes of its console; may be NULL */
	void (*said)(struct vm *vm, const char *data, size_t len);
	/* It ended, while it was no domain's. */
	void (*ended)(struct vm *vm);
	/* After vm_end(), when nothing refers to it any more: frees it. */
	void (*closed)(struct vm *vm);
};

/* Starts it; *vm is zeroed but for loop and the functions, which are
 * joined by those of its QMP client. Its RAM is used once more by the VM, and
 * plan->far is filled here, but for the tap. Returns 0 or a negative code; then
 * nothing is held. */
int vm_launch(struct vm *vm, struct vm_plan *plan, struct err *err);

/* The channel is the caller's. */
int vm_take_channel(struct vm *vm);

/* Its process is the caller's, who watches it, and ends it. */
pid_t vm_take_process(struct vm *vm);

/* Closes all; kills it, if it is no domain's. `closed` comes later. */
void vm_end(struct vm *vm);

/* It has ended: reads what it said last. */
void vm_read_rest(struct vm *vm);

/* The last line on its console that says something; "" where there is none. */
const char *vm_last_line(const struct vm *vm, char *line, size_t size);

#endif
