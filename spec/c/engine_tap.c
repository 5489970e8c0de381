/*
 * gridcentric.engine_tap - bridges and taps of the engine, for specs
 *
 *	bridge = engine_tap.open(block)	-- or nil, text, name
 *	bridge:name()
 *	bridge:tap(vmid)		-- -> id, fd, { name, mac, address, gateway }
 *					-- or nil, text, name
 *	bridge:close_tap(id)
 *	bridge:lease_last(number)	-- as if that had been leased last
 *	bridge:lease_all()
 *	bridge:abandon()		-- as an engine that is killed
 *	bridge:close()			-- not by the collector
 *
 *	engine_tap.foreign(name)	-- makes a bridge that is not the engine's
 *	engine_tap.devices()		-- -> { name, ... }, sorted by age
 *	engine_tap.receive(fd, timeout_ms)	-- -> frame, nil: none came
 */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "engine/net/link.h"
#include "engine/net/tap.h"

#define TYPE "gridcentric.engine_tap"
#define MAX  16 /* taps of a bridge */

struct spec_bridge {
	struct bridge bridge;
	struct tap taps[MAX];
	int ntaps;
};

static struct spec_bridge *get(lua_State *L)
{
	return luaL_checkudata(L, 1, TYPE);
}

static int push_error(lua_State *L, const struct err *err)
{
	lua_pushnil(L);
	lua_pushstring(L, err->text);
	lua_pushstring(L, err_name(err->code));
	return 3;
}

static int open_bridge(lua_State *L)
{
	int block = (int)luaL_checkinteger(L, 1);
	struct spec_bridge *b = lua_newuserdatauv(L, sizeof *b, 0);
	struct err err;

	memset(b, 0, sizeof *b);
	luaL_setmetatable(L, TYPE);
	if (bridge_open(&b->bridge, block, &err))
		return push_error(L, &err);
	return 1;
}

static int get_name(lua_State *L)
{
	lua_pushstring(L, get(L)->bridge.name);
	return 1;
}

static void set_field(lua_State *L, const char *name, const char *value)
{
	lua_pushstring(L, value);
	lua_setfield(L, -2, name);
}

static int open_tap(lua_State *L)
{
	struct spec_bridge *b = get(L);
	struct tap *tap = &b->taps[b->ntaps];
	struct err err;

	luaL_argcheck(L, b->ntaps < MAX, 1, "too many taps");
	if (tap_open(&b->bridge, (int)luaL_checkinteger(L, 2), tap, &err))
		return push_error(L, &err);
	if (tap_plug(&b->bridge, tap, &err)) {
		tap_close(&b->bridge, tap);
		return push_error(L, &err);
	}
	lua_pushinteger(L, b->ntaps++);
	lua_pushinteger(L, tap->fd);
	lua_newtable(L);
	set_field(L, "name", tap->name);
	set_field(L, "mac", tap->mac);
	set_field(L, "address", tap->address);
	set_field(L, "gateway", tap->gateway);
	return 3;
}

static int close_tap(lua_State *L)
{
	struct spec_bridge *b = get(L);
	lua_Integer id = luaL_checkinteger(L, 2);

	luaL_argcheck(L, id >= 0 && id < b->ntaps, 2, "no such tap");
	tap_close(&b->bridge, &b->taps[id]);
	return 0;
}

static int lease_last(lua_State *L)
{
	get(L)->bridge.last = (int)luaL_checkinteger(L, 2);
	return 0;
}

static int lease_all(lua_State *L)
{
	struct bridge *bridge = &get(L)->bridge;

	memset(bridge->leased, 0xff, sizeof bridge->leased);
	return 0;
}

static int abandon(lua_State *L)
{
	struct bridge *bridge = &get(L)->bridge;

	if (bridge->index)
		netlink_close(&bridge->netlink);
	bridge->index = 0;
	return 0;
}

static int close_bridge(lua_State *L)
{
	bridge_close(&get(L)->bridge);
	return 0;
}

static int foreign(lua_State *L)
{
	static const unsigned char mac[6] = { 0x02, 0, 0, 0, 0, 1 };
	const char *name = luaL_checkstring(L, 1);
	struct netlink netlink = { NULL };
	int code = link_open(&netlink);

	if (code)
		return luaL_error(L, "%s", err_text(code));
	code = link_add_bridge(&netlink, name, mac);
	netlink_close(&netlink);
	if (code)
		return luaL_error(L, "%s", err_text(code));
	return 0;
}

static void push_device(const struct link *link, void *arg)
{
	lua_State *L = arg;

	lua_pushstring(L, link->name);
	lua_seti(L, -2, luaL_len(L, -2) + 1);
}

static int devices(lua_State *L)
{
	struct netlink netlink = { NULL };
	int code = link_open(&netlink);

	if (code)
		return luaL_error(L, "%s", err_text(code));
	lua_newtable(L);
	code = link_list(&netlink, push_device, L);
	netlink_close(&netlink);
	if (code)
		return luaL_error(L, "%s", err_text(code));
	return 1;
}

static int receive(lua_State *L)
{
	struct pollfd poller = { (int)luaL_checkinteger(L, 1), POLLIN, 0 };
	char frame[4096];
	ssize_t n;

	if (poll(&poller, 1, (int)luaL_checkinteger(L, 2)) != 1)
		return 0;
	n = read(poller.fd, frame, sizeof frame);
	if (n < 0)
		return luaL_error(L, "%s", strerror(errno));
	lua_pushlstring(L, frame, (size_t)n);
	return 1;
}

static const luaL_Reg methods[] = {
	{ "name", get_name },	    { "tap", open_tap },
	{ "close_tap", close_tap }, { "lease_last", lease_last },
	{ "lease_all", lease_all }, { "abandon", abandon },
	{ "close", close_bridge },  { NULL, NULL },
};

__attribute__((visibility("default"))) int
luaopen_gridcentric_engine_tap(lua_State *L);

int luaopen_gridcentric_engine_tap(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "open", open_bridge }, { "foreign", foreign },
		{ "devices", devices },	 { "receive", receive },
		{ NULL, NULL },
	};

	luaL_newmetatable(L, TYPE);
	luaL_setfuncs(L, methods, 0);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	luaL_newlib(L, functions);
	return 1;
}
