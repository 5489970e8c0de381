/*
 * fork - the backend whose clones are processes, forked from the live program
 */
#ifndef GC_ENGINE_FORK_FORK_H
#define GC_ENGINE_FORK_FORK_H

#include "engine/core/backend.h"

extern const struct backend_ops backend_fork;

/*
 * START: the program becomes domain 0, outside of its owner, in a process group
 * of its own, stdin from /dev/null. It is ready when its channel says that it
 * listens on the port (0: when it speaks at all). Returns 0 or a negative code.
 */
int fork_start_program(struct backend *b, struct wire_msg *order,
		       struct err *err);

#endif
