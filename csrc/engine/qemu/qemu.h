/*
 * qemu - the backend whose clones are virtual machines; what its parts share
 *
 *	backend.c	the table of functions, and who hears of which event
 *	   |--> master.c	boots the VM that clones are made from
 *	   |--> snapshot.c	stops a VM for a moment and takes its image
 *	   |--> clone.c		makes VMs that go on from an image
 *	   |--> disk.c		what each of them reads from and writes to
 *	   |--> heartbeat.c	notices VMs that have stopped living
 *	   '--> stock.c		what is made ahead: a copy of the RAM, and VMs
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
	struct domain *domain;	  /* NULL: not yet, or not any more */
	struct qemu_stock *stock; /* made ahead for clones of it */
	int64_t dropped_ms; /* loop_now() at which a stock was unused; 0: never */
	struct qemu_stock *waits_in;	/* while it waits for its state */
	struct qemu_snapshot *snapshot; /* of it, under way */
	struct qemu_snapshot *origin;	/* that it loads; NULL: it has */
	struct tap tap;			/* zeroed: none */
	int is_probe;
	int64_t hello_ms; /* loop_now() at which its agent spoke, 0: not yet */
	struct qemu_disk disk;
	struct heartbeat heartbeat; /* while it is ready */
	TAILQ_ENTRY(qemu_vm) link;  /* in a stock */
};

TAILQ_HEAD(qemu_vm_list, qemu_vm);

/* What START_VM orders. Orders are compared byte by byte: zeroed first. */
struct qemu_order {
	struct vm_spec spec;
	char accel[8]; /* "auto", "kvm", "tcg" */
};

/* backend->data */
struct qemu {
	struct qemu_order order;
	struct vm_spec spec; /* the order's */
	int is_kvm;	     /* all its VMs use KVM; 0: they are emulated */
	int is_open;	     /* the fields below are in use */
	struct vm_image image;
	int last_layer; /* of a disk: its number */
	struct lan lan;
	struct bridge bridge; /* where spec has_tap */
	/* set by backend.c: events for the parts above */
	void (*event)(struct qemu_vm *vm, const char *name, json_t *data);
	void (*spare_lost)(struct qemu_vm *vm); /* one that waits has ended or
						 * does not answer */
	void (*closed)(struct qemu_vm *vm);	/* the VM is freed next */
	int is_probed;	       /* whether KVM is usable is known */
	struct qemu_vm *probe; /* boots, to find out whether KVM is usable */
	struct loop_timer probe_timer;
	char probe_text[200]; /* the result, for people */
};

extern const struct backend_ops backend_qemu;

static inline struct qemu *qemu_of(const struct backend *backend)
{
	return backend->data;
}

/* A VM that is not started yet. NULL: no memory. */
struct qemu_vm *qemu_vm_new(struct backend *backend);

/* Starts the VM: vm_launch() with the backend's spec and image. A clone maps ram,
 * a master has it. domain: which it will be; NULL: not known yet, which is
 * possible without a tap only. */
int qemu_vm_launch(struct qemu_vm *vm, struct ram *ram, int is_clone,
		   struct domain *domain, struct err *err);

/* Ends the VM, unless its process is a domain's, and frees it in the end. */
void qemu_vm_end(struct qemu_vm *vm);

/* The VM is the domain's from now on, and the domain's channel is the port of
 * its agent. Returns 0, or a negative code: it is no domain's then. */
int qemu_vm_adopt(struct qemu_vm *vm, struct domain *domain, struct err *err);

/* Hands its process over to the domain, which watches and ends it. Returns 0 or a
 * negative code: the domain has failed then. */
int qemu_vm_hand_over(struct qemu_vm *vm);

/* Its frames pass from now on. Returns 0 or a negative code. */
int qemu_vm_plug(struct qemu_vm *vm, struct err *err);

/* Tells the agent who it is now, and to let programs go on. */
void qemu_send_identity(struct qemu_vm *vm, int snapshot);

#endif
