/*
 * check - walks all structures of the engine and asserts what must hold
 *
 * Between two turns of the loop, in builds with -DGC_CHECK (make
 * check-invariants); nothing otherwise.
 */
#ifndef GC_ENGINE_CHECK_H
#define GC_ENGINE_CHECK_H

#include "engine/core/core.h"

#ifdef GC_CHECK
void engine_check(const struct engine *engine);
#else
static inline void engine_check(const struct engine *engine)
{
	(void)engine;
}
#endif

#endif
