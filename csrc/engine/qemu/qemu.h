/*
 * qemu - what the parts of the qemu backend share
 *
 *	backend_qemu	the table of functions, and who is told of what
 *	   |--> qemu_master	boots the VM that clones are made from
 *	   |--> qemu_snapshot	stops a VM for a moment, and has its image
 *	   |--> qemu_clone	makes VMs go on from an image
 *	   |--> qemu_disk	what each of them reads from and writes to
 *	   |--> heartbeat	notices VMs that do not live any more
 *	   '--> qemu_stock	what is made ahead: a copy of the RAM, and VMs
 *				that wait for their state
 */
#ifndef GC_ENGINE_QEMU_QEMU_H
#define GC_ENGINE_QEMU_QEMU_H

#include "engine/core/backend.h"
#include "engine/core/core.h"
#include "engine/core/domain.h"
#include "engine/net/tap.h"
#include "engine/qemu/disk.h"
#include "engine/qemu/heartbeat.h"
#include "engine/vm/vm.h"

struct qemu_stock;
struct qemu_snapshot;

/* One VM of the backend: a domain's, or one that waits to be. */
struct qemu_vm {
	struct vm vm;
	struct backend *backend;
	struct domain *domain;	  /* NULL: none yet, or none more */
	struct qemu_stock *stock; /* made ahead for clones of it */
	int64_t dropped_ms; /* loop_now() at which that was of no use, 0 */
	struct qemu_stock *waits_in;	/* while it waits for its state */
	struct qemu_snapshot *snapshot; /* of it, under way */
	struct qemu_snapshot *origin;	/* that it loads; NULL: none (more) */
	struct tap tap;			/* zeroed: none */
	int is_probe;
	int64_t hello_ms; /* loop_now() at which its agent spoke, 0: not yet */
	int has_said;	  /* READY, of which one counts */
	struct qemu_disk disk;
	struct heartbeat heartbeat; /* while it is ready */
	struct qemu_vm *next;	    /* in a stock */
};

/* How START_VM wants it; zeroed before it is filled. */
struct qemu_order {
	struct vm_spec spec;
	char accel[8]; /* "auto", "kvm", "tcg" */
};

/* backend->data */
struct qemu {
	struct qemu_order order;
	struct vm_spec spec; /* the order's */
	int is_kvm;	     /* all VMs of it are, else they are emulated */
	int is_open;	     /* what follows is there */
	struct vm_image image;
	int last_layer; /* of a disk: its number */
	struct lan lan;
	struct bridge bridge; /* where spec has_tap */
	/* set by engine/qemu/backend.c; what is told upwards: */
	void (*event)(struct qemu_vm *vm, const char *name, json_t *data);
	void (*unwanted)(struct qemu_vm *vm); /* one that waited has ended, or
					       * does not answer */
	void (*closed)(struct qemu_vm *vm);   /* it is freed next */
	int is_probed;	       /* whether KVM is of use is known */
	struct qemu_vm *probe; /* boots, to see whether KVM is of use */
	struct loop_timer probe_timer;
	char probe_text[200]; /* what came of it, for people */
};

static inline struct qemu *qemu_of(const struct backend *backend)
{
	return backend->data;
}

/* A VM that is not started yet. NULL: no memory. */
struct qemu_vm *qemu_vm_new(struct backend *backend);

/* Starts it: vm_launch() with the backend's spec and image. A clone maps ram,
 * a master has it. domain: which it will be; NULL: not known yet, not for
 * those with a tap. */
int qemu_vm_launch(struct qemu_vm *vm, struct ram *ram, int is_clone,
		   struct domain *domain, struct err *err);

/* Ends it, if it is no domain's, and frees it in the end. */
void qemu_vm_end(struct qemu_vm *vm);

/* It is the domain's VM from now on, whose channel leads to its agent. Returns
 * 0, or a negative code: it is no domain's then. */
int qemu_vm_adopt(struct qemu_vm *vm, struct domain *domain, struct err *err);

/* Its frames pass from now on. Returns 0 or a negative code. */
int qemu_vm_plug(struct qemu_vm *vm, struct err *err);

/* Tells a domain's agent who it is now, and to go on. */
void qemu_send_identity(struct qemu_vm *vm, int snapshot);

#endif
