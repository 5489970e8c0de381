/*
 * guest/listener - what this program listens on, as the engine is told
 */
#ifndef GC_GUEST_LISTENER_H
#define GC_GUEST_LISTENER_H

#include "guest/gc.h"
#include "repair/repair.h"

/*
 * Finds the program's listeners, at most REPAIR_MAX_LISTENERS. Fails also
 * where this process cannot be cloned at all: a libuv that is not known.
 */
int guest_find_listeners(struct gc *gc, struct repair_listener *found, int *n,
			 struct err *err);

/* Writes (family, type, port, backlog) of each. */
void guest_put_listeners(struct wire_buf *out,
			 const struct repair_listener *found, int n);

#endif
