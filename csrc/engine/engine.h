/*
 * engine - the platform of one master: opens its parts and connects them
 *
 * One process, one loop, one thread. Which part knows which: engine/core/core.h.
 */
#ifndef GC_ENGINE_ENGINE_H
#define GC_ENGINE_ENGINE_H

#include "engine/core/core.h"

/*
 * Opens all parts: state folder, ledger, hosts, scheduler. owner is the
 * descriptor of the owner's channel, service the first half of the name.
 */
int engine_open(struct engine *engine, int owner, const char *service,
		struct err *err);

/* engine_open() has failed: reports why to the owner. */
void engine_report_fault(struct engine *engine, const struct err *err);

/* Runs until its time is over. */
void engine_run(struct engine *engine);

/* Kills what is left, writes and closes everything. */
void engine_close(struct engine *engine);

#endif
