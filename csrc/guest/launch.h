/*
 * guest/launch - finds and starts the engine, a process of its own
 */
#ifndef GC_GUEST_LAUNCH_H
#define GC_GUEST_LAUNCH_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * Fills path with the engine's: $GRIDCENTRIC_ENGINE, else gridcentric-engine
 * beside this library, or in gridcentric/ beside it. Returns 0 or a negative
 * code.
 */
int launch_path(char *path, size_t size, struct err *err);

/*
 * Starts the engine, for the service of that name, with one end of a new
 * socket pair, and with these descriptors, where they are not -1, as its stdout
 * and stderr. Returns the other end (CLOEXEC) and fills *pid; or a negative
 * code.
 */
int launch_engine(const char *name, const int output[2], pid_t *pid,
		  struct err *err);

#endif
