/* lua/common - see lua/common.h */
#include "lua/common.h"

#include <assert.h>
#include <lauxlib.h>
#include <limits.h>

int lua_fail(lua_State *L, const struct err *err)
{
	assert(err->code < 0);
	lua_pushnil(L);
	lua_pushfstring(L, "%s: %s", err_name(err->code), err->text);
	lua_pushstring(L, err_name(err->code));
	return 3;
}

struct gc *lua_check_core(lua_State *L, int index)
{
	return *(struct gc **)luaL_checkudata(L, index, LUA_CORE);
}

int lua_check_int(lua_State *L, int index)
{
	lua_Integer value = luaL_checkinteger(L, index);

	luaL_argcheck(L, value >= INT_MIN && value <= INT_MAX, index,
		      "out of range");
	return (int)value;
}
