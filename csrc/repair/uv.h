/*
 * repair/uv - makes libuv's loop sound after fork()
 *
 * libuv's own uv_loop_fork() leaves clones that abort or hang under ordinary
 * traffic: watchers that are queued keep their events, pending asyncs are
 * never sent again, the pool's mutex may be held, signals that were caught
 * but not dispatched spin, child processes of the master would be killed by
 * the clone, files of its unix listeners removed, and exit() joins pool
 * threads that do not exist. Mending that needs the layout of uv_loop_t, so
 * only a libuv whose layout is known (1.44) is accepted. Its functions are
 * taken from the luv that is loaded: nothing here links libuv.
 */
#ifndef GC_REPAIR_UV_H
#define GC_REPAIR_UV_H

#include "base/err.h"

struct repair_uv;

/*
 * Finds luv's loop. luv_path: the file luv was loaded from; lua_state: the
 * lua_State it was loaded into. Never frees: one for the life of the process.
 * NULL with err set when luv or one of its functions is missing.
 */
struct repair_uv *repair_uv_open(const char *luv_path, void *lua_state,
				 struct err *err);

/* 0, or -ENOTSUP with a text that names the libuv found and the ones known. */
int repair_uv_check(const struct repair_uv *uv, struct err *err);

/* In the child. */
int repair_uv_apply(struct repair_uv *uv, struct err *err);

#endif
