/*
 * engine - the platform of one master: puts its parts together
 *
 * One process, one loop, one thread. Which part knows which:
 *
 *	main --> engine --> request --> request_* --> program --> domain
 *	                                  |                      ^   |
 *	                                  '----> job ------------'   '--> ticket
 *	                                          |                        |
 *	                                          '--> backend, hooks  scheduler
 *
 * domain and ticket know client, and domain address; all know the ledger and
 * engine/core/core.h. What happens below is told upwards by functions in struct engine.
 */
#ifndef GC_ENGINE_ENGINE_H
#define GC_ENGINE_ENGINE_H

#include "engine/core/core.h"

/*
 * Opens all parts: state folder, ledger, addresses, scheduler. owner is the
 * descriptor of the owner's channel, service the first half of the name.
 */
int engine_open(struct engine *engine, int owner, const char *service,
		struct err *err);

/* Where engine_open() has failed: tells the owner why. */
void engine_fault(struct engine *engine, const struct err *err);

/* Runs until its time is over. */
void engine_run(struct engine *engine);

/* Kills what is left, writes and closes everything. */
void engine_close(struct engine *engine);

#endif
