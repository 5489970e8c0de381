/*
 * identity - host name, machine id and clock
 */
#ifndef GC_AGENT_IDENTITY_H
#define GC_AGENT_IDENTITY_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* /etc/machine-id */
struct machine_id {
	int fd; /* -1: not open */
	off_t len;
};

/* Opens the file anew: before a snapshot, so that a clone has only to write.
 * That it cannot be opened is told by identity_machine(). */
void identity_open(struct machine_id *id);

/* Each returns 0 or a negative code. */

int identity_host(const char *name, struct err *err);

/* Writes a new id, from the kernel's random generator, into the file, which is
 * opened where it is not. */
int identity_machine(struct machine_id *id, struct err *err);

/* The same where there is none yet. */
int identity_first_machine(struct machine_id *id, struct err *err);

/* realtime_ns: of CLOCK_REALTIME; 0: it stays as it is. */
int identity_clock(int64_t realtime_ns, struct err *err);

#endif
