/*
 * guest/listener - what this program listens on, as the engine learns of it
 */
#ifndef GC_GUEST_LISTENER_H
#define GC_GUEST_LISTENER_H

#include "guest/gc.h"

/*
 * Finds the program's listeners. Returns how many there are and fills *found,
 * which the caller frees; or a negative code, also where this process cannot
 * be cloned at all, for example because of a libuv that is not known, or has
 * more listeners than one message can carry.
 */
int guest_find_listeners(struct gc *gc, struct repair_listener **found,
			 struct err *err);

/* Writes (family, type, port, backlog) of each. */
void guest_put_listeners(struct wire_buf *out,
			 const struct repair_listener *found, int n);

#endif
