/* lua/proxy - see lua/proxy.c */
#ifndef GC_LUA_PROXY_H
#define GC_LUA_PROXY_H

#include <lua.h>

#include "base/loop.h"

/* Adds the functions of this file to the table on top of the stack. */
void lua_proxy_open(lua_State *L);

/* Pushes the event of a completion of the proxy: its kind's name, then values,
 * see lua/proxy.c. Returns their number, and frees the event. */
int lua_proxy_push_event(lua_State *L, struct completion *completion);

/* In a new clone, before any callback runs: the master's proxies are not ours,
 * and their commands fail with ECANCELED from now on. May be called twice. */
void lua_proxy_forget(lua_State *L);

#endif
