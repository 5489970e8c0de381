/*
 * engine/vm/command - what QEMU is started with: its command line, its descriptors,
 * its rights
 *
 * It gets all it is to have as open descriptors, under -sandbox, and where the
 * engine is root as another user ($GRIDCENTRIC_VM_USER, nobody): it can neither
 * reach the engine's files nor start a process. It dies with the engine,
 * whatever kills that (a death signal, by setpriv, and csrc/preload/).
 *
 * A VM that is to be a clone gets the devices of its master, maps the RAM
 * privately, and waits for the state of its devices.
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

/* What the master and all clones are made like. */
struct vm_spec {
	char image[PATH_MAX];
	int memory_mib, cpus;
	int port;    /* of the program, 0: none */
	int has_lan; /* a second card, to the engine's other VMs */
	int spare; /* clones that are kept half made, see engine/qemu/stock.h */
	int has_tap; /* the first card is on a bridge of this machine */
};

/* Where the program's port is reached, at the domain's address: the same, but
 * below 1024, which are root's, 8000 above it. */
int vm_host_port(const struct vm_spec *spec);

/* The far ends, QEMU's, of what is spoken over. */
struct vm_far {
	int qmp, channel, console; /* sockets */
	int lan;		   /* where spec has_lan */
	int tap;		   /* where spec has_tap */
};

#define VM_AGENT_PORT "agent-port" /* QEMU's name for the agent's port */

struct vm_plan {
	const struct vm_spec *spec;
	const struct vm_image *image;
	struct ram *ram;
	struct lan *lan; /* where spec has_lan */
	struct vm_far far;
	const char *forward; /* "127.64.0.1": its port is reached there; NULL:
			      * nowhere yet */
	const char *tap_mac; /* where spec has_tap */
	int is_kvm;	     /* else emulated */
	int is_clone;
	int is_probe; /* boots the kernel alone, to see whether it runs */
};

/* Starts QEMU; the descriptors stay the caller's. Fills *pid and returns 0, or
 * a negative code. */
int vm_command_run(const struct vm_plan *plan, pid_t *pid, struct err *err);

#endif
