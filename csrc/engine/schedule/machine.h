/*
 * machine - what this machine has to give: CPUs and memory
 *
 * Memory: what the kernel takes to be available, or what the control group
 * (version 2) that we are in and those above it leave, whichever is less.
 * Reading it takes some time, so that a reading is good for MEMORY_FRESH_MS.
 */
#ifndef GC_ENGINE_SCHEDULE_MACHINE_H
#define GC_ENGINE_SCHEDULE_MACHINE_H

#include <stdint.h>

#include "base/err.h"

/* A forked domain's CPU is a unit of account. */
#define MACHINE_CPUS_PER_CORE 256
#define MACHINE_MAX_CPUS      1000000000
#define MEMORY_FRESH_MS	      100

/* A reading; zeroed to start with. */
struct memory {
	int64_t available; /* bytes; INT64_MAX where it cannot be told */
	int64_t read_ms;   /* loop_now() of the reading, 0: none */
};

/* $GRIDCENTRIC_CPUS, or MACHINE_CPUS_PER_CORE for each core that we may run on.
 * Negated errno where the variable holds no number. */
int machine_cpus(struct err *err);

/* Bytes that are available, by a reading that is fresh. */
int64_t memory_available(struct memory *memory);

/* Memory has been taken: the reading is not good any more. */
void memory_changed(struct memory *memory);

#endif
