/* lua/event - see lua/event.c */
#ifndef GC_LUA_EVENT_H
#define GC_LUA_EVENT_H

#include <lua.h>

#include "guest/gc.h"

/* Pushes a completion of a guest kind: the name of its kind, then its values.
 * Returns how many. Does not free it. */
int lua_event_push(lua_State *L, struct completion *completion);

/* Pushes the fields behind the op of an engine's STATE: {name=, cpus=, free=,
 * report=, domains=}. */
void lua_event_state(lua_State *L, struct wire_msg *msg);

#endif
