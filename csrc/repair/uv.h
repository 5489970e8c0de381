/*
 * repair/uv - makes libuv's loop sound after fork(): a step of repair
 *
 * libuv's own uv_loop_fork() leaves clones that abort or hang under ordinary
 * traffic: watchers that are queued keep their events, pending asyncs are
 * never sent again, the pool's mutex may be held, its count of slow requests
 * keeps those of the master, signals that were caught but not dispatched spin,
 * the clone would kill child processes of the master and remove the files of
 * its unix listeners, and exit() joins pool threads that do not exist.
 * Repairing that needs the layout of uv_loop_t, so only a libuv whose layout
 * is known (1.44) is accepted. Its functions are taken from the luv that is
 * loaded: nothing here links libuv.
 */
#ifndef GC_REPAIR_UV_H
#define GC_REPAIR_UV_H

#include "repair/repair.h"

/*
 * The step for luv's loop. luv_path: the file that luv was loaded from;
 * lua_state: the lua_State that it was loaded into. Where luv or its libuv
 * cannot be repaired, the step's check says why. It lives as long as the
 * process. NULL: out of memory.
 */
struct repair_step *repair_uv_open(const char *luv_path, void *lua_state);

#endif
