/*
 * lua_ballast - memory of a program that the garbage collector does not look
 * into, like a loaded model
 *
 *	local block = require "bench.ballast".new(bytes)
 *
 * Made as forker.c makes its own: where the pages come from decides how long
 * a fork takes. (A long string is made twice, and freed once.)
 */
#include <lauxlib.h>
#include <string.h>

static int new (lua_State *L)
{
	size_t size = (size_t)luaL_checkinteger(L, 1);

	memset(lua_newuserdatauv(L, size, 0), 'x', size);
	return 1;
}

__attribute__((visibility("default"))) int luaopen_bench_ballast(lua_State *L);

int luaopen_bench_ballast(lua_State *L)
{
	static const luaL_Reg functions[] = { { "new", new }, { NULL, NULL } };

	luaL_newlib(L, functions);
	return 1;
}
