/*
 * program - starts the user's program as domain 0, outside of its owner
 */
#ifndef GC_ENGINE_FORK_PROGRAM_H
#define GC_ENGINE_FORK_PROGRAM_H

#include "engine/core/domain.h"

/*
 * Starts argv (argv[0] found by $PATH) in the folder dir, in a process group
 * of its own, stdin from /dev/null. It is ready when its channel says that it
 * listens on port (0: when it speaks at all). Returns 0 or a negative code.
 */
int program_start(struct engine *engine, int port, const char *dir,
		  char *const *argv, struct err *err);

#endif
