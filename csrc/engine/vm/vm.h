/*
 * vm - one QEMU process: its channels, its console, its end
 *
 *	vm_launch(vm, &plan, &err)	starts it; vm->qmp and vm->channel lead
 *					to QEMU and to the guest's agent
 *	vm_take_process(vm)		a domain watches and kills it from now on
 *	vm_end(vm)			closes all, and kills it if no domain does
 *
 * Its command line and its rights: command.h.
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
	int channel;		  /* to its agent; -1: taken, or not open */
	pid_t pid;		  /* 0: not started, taken, or reaped */
	struct loop_source pidfd; /* watched until the process is taken */
	struct loop_source console;
	char tail[VM_TAIL]; /* last bytes of the console */
	size_t tail_len;
	struct ram *ram;      /* that it maps */
	struct lan_port *lan; /* NULL: none */
	int is_clone;
	/* as in struct qmp: */
	void (*event)(struct qmp *qmp, const char *name, json_t *data);
	void (*lost)(struct qmp *qmp, const struct err *err);
	/* Bytes of its console came. May be NULL. */
	void (*said)(struct vm *vm, const char *data, size_t len);
	/* QEMU has ended, and its process was not taken. */
	void (*ended)(struct vm *vm);
	/* Called after vm_end(), when nothing refers to the VM any more: frees
	 * it. */
	void (*closed)(struct vm *vm);
};

/*
 * Starts QEMU. *vm is zeroed except loop and the functions. Fills plan->far,
 * except the tap, and adds a use of plan->ram. Returns 0, or a negative code:
 * nothing is held then.
 */
int vm_launch(struct vm *vm, struct vm_plan *plan, struct err *err);

/* Hands the channel to the caller. */
int vm_take_channel(struct vm *vm);

/* Hands the process to the caller, which watches it and ends it. */
pid_t vm_take_process(struct vm *vm);

/* Closes all channels, and kills the process if it was not taken. `closed` is
 * called later. */
void vm_end(struct vm *vm);

/* Reads what is left of the console of a QEMU that has ended. */
void vm_read_rest(struct vm *vm);

/* Copies the last line of the console that is not blank; "" if there is none.
 * Returns line. */
const char *vm_last_line(const struct vm *vm, char *line, size_t size);

#endif
