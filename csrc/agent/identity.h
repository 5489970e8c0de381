/*
 * identity - host name, machine id and clock
 *
 * systemd's journal lies in a folder that is named after the machine id, and
 * journald goes on writing to the old one. So a clone gets a link from its new
 * id to that folder: `journalctl` shows what its source had logged, then what
 * it logs itself.
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
	char journals[2][33]; /* names of the folders that journald writes to,
			       * in each place; "": there is none */
};

/* Opens the file anew, and finds the journals: before a snapshot, so that a
 * clone has only to write. identity_machine() reports what failed. */
void identity_open(struct machine_id *id);

/* Each returns 0 or a negative code. */

int identity_host(const char *name, struct err *err);

/* Writes a new id, from the kernel's random generator, into the file, and links
 * the journals. Opens the file if that is still to be done. */
int identity_machine(struct machine_id *id, struct err *err);

/* The same, if there is no id yet. */
int identity_first_machine(struct machine_id *id, struct err *err);

/* Sets CLOCK_REALTIME, in nanoseconds. */
int identity_clock(int64_t realtime_ns, struct err *err);

#endif
