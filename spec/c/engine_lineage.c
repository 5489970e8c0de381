/*
 * gridcentric.engine_lineage - which domain comes from which, for specs
 *
 *	lineage = engine_lineage.new()
 *	lineage:add(vmid, parent)	-- -1: none
 *	lineage:is_below(vmid, ancestor)
 */
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "engine/core/lineage.h"

#define TYPE "gridcentric.engine_lineage"

static int new_lineage(lua_State *L)
{
	struct lineage *lineage = lua_newuserdatauv(L, sizeof *lineage, 0);

	memset(lineage, 0, sizeof *lineage);
	luaL_setmetatable(L, TYPE);
	return 1;
}

static int add(lua_State *L)
{
	struct lineage *lineage = luaL_checkudata(L, 1, TYPE);
	int vmid = (int)luaL_checkinteger(L, 2);

	luaL_argcheck(L, vmid >= 0, 2, "no vmid");
	if (lineage_add(lineage, vmid, (int)luaL_checkinteger(L, 3)))
		return luaL_error(L, "no memory");
	return 0;
}

static int is_below(lua_State *L)
{
	lua_pushboolean(L, lineage_is_below(luaL_checkudata(L, 1, TYPE),
					    (int)luaL_checkinteger(L, 2),
					    (int)luaL_checkinteger(L, 3)));
	return 1;
}

static int free_lineage(lua_State *L)
{
	lineage_free(luaL_checkudata(L, 1, TYPE));
	return 0;
}

__attribute__((visibility("default"))) int
luaopen_gridcentric_engine_lineage(lua_State *L);

int luaopen_gridcentric_engine_lineage(lua_State *L)
{
	static const luaL_Reg methods[] = { { "add", add },
					    { "is_below", is_below },
					    { "__gc", free_lineage },
					    { NULL, NULL } };
	static const luaL_Reg functions[] = { { "new", new_lineage },
					      { NULL, NULL } };

	luaL_newmetatable(L, TYPE);
	luaL_setfuncs(L, methods, 0);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	luaL_newlib(L, functions);
	return 1;
}
