/*
 * lua/tools - functions of gridcentric.core that need no open core
 */
#ifndef GC_LUA_TOOLS_H
#define GC_LUA_TOOLS_H

#include <lua.h>

/* Adds the functions to the table on top of the stack. */
void lua_tools_open(lua_State *L);

#endif
