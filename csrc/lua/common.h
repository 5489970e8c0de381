/*
 * lua/common - helpers of all Lua bindings
 */
#ifndef GC_LUA_COMMON_H
#define GC_LUA_COMMON_H

#include <lua.h>

#include "base/err.h"
#include "guest/gc.h"

#define LUA_CORE "gridcentric.core" /* metatable of the open core */

/* Pushes nil, "NAME: text", "NAME". Returns 3. */
int lua_fail(lua_State *L, const struct err *err);

/* The open core at index, or an argument error. */
struct gc *lua_check_core(lua_State *L, int index);

/* The integer argument at index, which must fit into an int. */
int lua_check_int(lua_State *L, int index);

#endif
