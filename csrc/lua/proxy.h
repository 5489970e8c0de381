/* lua/proxy - see lua/proxy.c */
#ifndef GC_LUA_PROXY_H
#define GC_LUA_PROXY_H

#include <lua.h>

#include "base/loop.h"

/* Adds what the proxy gives Lua to the table on top of the stack. */
void lua_proxy_open(lua_State *L);

/* Pushes what a completion of the proxy tells: its kind's name, then values,
 * see lua/proxy.c. Returns how many, and frees what is to be freed. */
int lua_proxy_push_event(lua_State *L, struct completion *completion);

/* In a new clone, before any callback runs: no proxy of the master's is ours;
 * their commands then fail with ECANCELED. Harmless when done twice. */
void lua_proxy_forget(lua_State *L);

#endif
