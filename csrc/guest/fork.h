/*
 * guest/fork - forks this process when the engine asks for it
 *
 * FORK messages are queued, and carried out at the end of guest_turn(), a few
 * at a time, so that the program's own loop goes on between them.
 */
#ifndef GC_GUEST_FORK_H
#define GC_GUEST_FORK_H

#include "guest/gc.h"

/* Queues what a FORK message asks for. */
void guest_fork_queue(struct gc *gc, struct wire_msg *msg);

/* What a new clone needs of its FORK message to speak to the engine. */
struct guest_newborn {
	int channel; /* descriptor */
	char token[64];
	int64_t op;	/* of its master's CLONE; 0: somebody else asked */
	struct err err; /* why it is not a sound process; code 0: it is */
};

/*
 * Carries out some of the queued forks. All of them fail when the program's
 * before_clone vetoes them. Returns 0 in this process, 1 in a new clone, which
 * has its vmid and address, a loop without sources, and *born; if born->err is
 * set, it must report that and end.
 */
int guest_fork_some(struct gc *gc, struct guest_newborn *born);

#endif
