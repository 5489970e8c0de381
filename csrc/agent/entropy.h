/*
 * entropy - gives the kernel's random generator what a clone does not share
 *
 * Master and clones have the same state of it: until it is reseeded, all of
 * them draw the same bytes. Bytes that are credited alone are mixed in some
 * time later; so the generator is told to take them now.
 */
#ifndef GC_AGENT_ENTROPY_H
#define GC_AGENT_ENTROPY_H

#include <stddef.h>

#include "base/err.h"

#define ENTROPY_LEAST 32 /* bytes that make a clone's numbers its own */

/* The generator: a descriptor, or a negative code. */
int entropy_open(struct err *err);

/* Credits len bytes as random, and reseeds. Returns 0 or a negative code. */
int entropy_feed(int fd, const void *bytes, size_t len, struct err *err);

#endif
