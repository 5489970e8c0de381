/* lua/session - see lua/session.c */
#ifndef GC_LUA_SESSION_H
#define GC_LUA_SESSION_H

#include <lua.h>

/* Adds the functions to the table on top of the stack. */
void lua_session_open(lua_State *L);

#endif
