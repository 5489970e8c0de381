/*
 * entropy - reseeds the kernel's random generator with bytes from the host
 *
 * Master and clones share the state of the generator: until it is reseeded, all
 * of them draw the same bytes. Credited bytes alone would be mixed in some time
 * later, so the generator is told to use them at once.
 */
#ifndef GC_AGENT_ENTROPY_H
#define GC_AGENT_ENTROPY_H

#include <stddef.h>

#include "base/err.h"

#define ENTROPY_LEAST 32 /* bytes that a clone needs */

/* Opens the generator. Returns a descriptor or a negative code. */
int entropy_open(struct err *err);

/* Credits len bytes as random, and reseeds. Returns 0 or a negative code. */
int entropy_feed(int fd, const void *bytes, size_t len, struct err *err);

#endif
