/*
 * command - starts QEMU: its command line, its descriptors, its rights
 *
 * QEMU gets open descriptors instead of names of files, runs under -sandbox,
 * and, if the engine is root, as another user ($GRIDCENTRIC_VM_USER, nobody).
 * It can neither reach the engine's files nor start a process. It dies with the
 * engine, however that ends: by a death signal, which setpriv asks for, and by
 * csrc/preload/qemu/.
 *
 * A clone's QEMU has the same devices as its master's, maps the RAM privately,
 * and waits for the state of the devices.
 */
#ifndef GC_ENGINE_VM_COMMAND_H
#define GC_ENGINE_VM_COMMAND_H

#include <limits.h>
#include <sys/types.h>

#include "base/err.h"
#include "engine/net/lan.h"
#include "engine/vm/image.h"
#include "engine/vm/ram.h"

#define VM_MAX_AHEAD 16 /* clones that are started ahead of need */

/* What the master and all clones have in common. */
struct vm_spec {
	char image[PATH_MAX];
	int memory_mib, cpus;
	int port;    /* of the program, 0: none */
	int has_lan; /* a second card, to the engine's other VMs */
	int spare; /* clones that are kept ready to load: engine/qemu/stock.h */
	int has_tap; /* the first card is on a bridge of this machine */
};

/* The port at the domain's address that leads to the program's: the same number,
 * or 8000 more for a privileged one (below 1024). */
int vm_host_port(const struct vm_spec *spec);

/* QEMU's ends of its channels. */
struct vm_far {
	int qmp, channel, console; /* sockets */
	int lan;		   /* where spec has_lan */
	int tap;		   /* where spec has_tap */
};

#define VM_AGENT_PORT "agent-port" /* QEMU's name for the agent's port */

/* What one QEMU is started with. */
struct vm_plan {
	const struct vm_spec *spec;
	const struct vm_image *image;
	struct ram *ram;
	struct lan *lan; /* where spec has_lan */
	struct vm_far far;
	const char *forward; /* address whose port leads to the program's,
			      * "127.64.0.1"; NULL: none yet */
	const char *tap_mac; /* where spec has_tap */
	int claim;  /* of the engine's addresses; QEMU, which listens at one,
		     * holds a copy of it until it has ended */
	int is_kvm; /* 0: emulated */
	int is_clone;
	int is_probe; /* boots the kernel only, to see whether KVM works */
};

/* Starts QEMU and fills *pid. The descriptors stay the caller's. Returns 0 or a
 * negative code. */
int vm_command_run(const struct vm_plan *plan, pid_t *pid, struct err *err);

#endif
