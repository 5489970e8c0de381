/* lua/tools - see lua/tools.h */
#include "lua/tools.h"

#include <lauxlib.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/random.h>

#include "guest/agent.h"
#include "guest/launch.h"
#include "lua/common.h"
#include "lua/event.h"
#include "wire/control.h"

/* core.agent_path() -> socket of this VM's agent; nil: this is no VM */
static int agent_path(lua_State *L)
{
	lua_pushstring(L, guest_agent_path());
	return 1;
}

/* core.engine_path() -> path, or nil, err, code */
static int engine_path(lua_State *L)
{
	struct err err = { 0 };
	char path[PATH_MAX];

	if (launch_path(path, sizeof path, &err))
		return lua_fail(L, &err);
	lua_pushstring(L, path);
	return 1;
}

/*
 * core.control(socket path, json or nil, timeout_ms) -> an engine's state
 * {name=, cpus=, free=, report=, domains=}; with json, the text of the answer;
 * or nil, err, code. Blocks: only for command lines.
 */
static int control(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	const char *json = luaL_optstring(L, 2, NULL);
	int timeout_ms = lua_check_int(L, 3);
	struct control_answer answer;
	struct wire_str text;
	struct err err = { 0 };

	if (control_ask(path, json, timeout_ms, &answer, &err))
		return lua_fail(L, &err);
	if (answer.msg.type == WIRE_STATE) {
		lua_event_state(L, &answer.msg);
		free(answer.frame);
		return 1;
	}
	err.code = (int)wire_int(&answer.msg);
	if (err.code) {
		lua_pushnil(L);
		lua_pushfstring(L, "%s: ", err_name(err.code));
	}
	text = wire_str(&answer.msg);
	lua_pushlstring(L, text.p, text.len);
	free(answer.frame);
	if (!err.code)
		return 1;
	lua_concat(L, 2);
	lua_pushstring(L, err_name(err.code));
	return 3;
}

/* core.random() -> an integer of 64 random bits of the kernel */
static int random_integer(lua_State *L)
{
	lua_Integer value = 0;

	if (getrandom(&value, sizeof value, 0) != sizeof value)
		return luaL_error(L, "getrandom failed");
	lua_pushinteger(L, value);
	return 1;
}

void lua_tools_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "engine_path", engine_path },
		{ "agent_path", agent_path },
		{ "control", control },
		{ "random", random_integer },
		{ NULL, NULL },
	};

	luaL_setfuncs(L, functions, 0);
}
