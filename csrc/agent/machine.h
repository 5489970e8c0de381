/*
 * machine - makes this VM a machine of its own: random numbers, cards,
 * connections, host name, machine id
 *
 *	machine_open(&machine, &err);		at the start
 *	machine_first(&machine, &identity, &err);
 *	machine_look(&machine, &err);		before each snapshot
 *	machine_become(&machine, &identity, &err);	in a clone
 *
 * Under emulation, code that runs in a clone for the first time has to be
 * translated first, in the kernel too: some 7 us for each jump, 3 ms for
 * opening a file. So files are opened, and interfaces looked up, before the
 * snapshot; a clone only writes.
 */
#ifndef GC_AGENT_MACHINE_H
#define GC_AGENT_MACHINE_H

#include "agent/hosts.h"
#include "agent/identity.h"
#include "agent/message.h"
#include "agent/network.h"
#include "base/err.h"

struct machine {
	struct network network;
	struct machine_id id;
	struct hosts hosts;
	struct netlink connections; /* requests about them */
	int entropy;		    /* descriptor; negative: not open */
};

/* Opens what it can; what is missing is an error when a clone is made. All of
 * these return 0 or a negative code, this one that of the first thing that is
 * missing. */
int machine_open(struct machine *machine, struct err *err);

/* Sets the VM up by its first IDENTITY. */
int machine_first(struct machine *machine, const struct identity *identity,
		  struct err *err);

/* Prepares for a snapshot: opens files, finds interfaces. */
int machine_look(struct machine *machine, struct err *err);

/* This is a clone now. In this order: random bytes before anything draws some,
 * cards, the master's connections, host name, machine id. The clock is set
 * after that (clock_sync.h), since each step takes a while. */
int machine_become(struct machine *machine, const struct identity *identity,
		   struct err *err);

#endif
