/*
 * gridcentric.engine_lan - the switch between the VMs of an engine, for specs
 *
 *	lan = engine_lan.new()
 *	lan:turn(timeout_ms)		-- -> number of handlers run
 *	lan:plug()			-- -> id, far end
 *	lan:name(id, vmid)		-- -> true, or nil, text, name
 *	lan:unplug(id)
 *	lan:counters(id)		-- -> forwarded, dropped, lost
 *	lan:close()			-- also by the collector
 *
 *	engine_lan.card(vmid)		-- -> MAC, address
 *	engine_lan.send(fd, frame)	-- -> true, or nil, text, name
 *	engine_lan.receive(fd)		-- -> frame, or nil when none waits
 *	engine_lan.far_end(fd)		-- -> is CLOEXEC, is non-blocking
 *	engine_lan.sizes		-- what lan.h says: min, max, at_once, last_vmid
 */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/net/lan.h"

#define TYPE "gridcentric.engine_lan"
#define MAX  256 /* ports */

struct spec_lan {
	struct loop loop;
	struct lan lan;
	struct lan_port *ports[MAX]; /* by id, NULL: unplugged */
	int nports, open;
};

static struct spec_lan *get(lua_State *L)
{
	struct spec_lan *l = luaL_checkudata(L, 1, TYPE);

	luaL_argcheck(L, l->open, 1, "closed");
	return l;
}

static struct lan_port **port_of(lua_State *L)
{
	struct spec_lan *l = get(L);
	lua_Integer id = luaL_checkinteger(L, 2);

	luaL_argcheck(L, id >= 0 && id < l->nports && l->ports[id], 2,
		      "no such port");
	return &l->ports[id];
}

static int push_result(lua_State *L, int code)
{
	if (code < 0) {
		lua_pushnil(L);
		lua_pushstring(L, err_text(code));
		lua_pushstring(L, err_name(code));
		return 3;
	}
	lua_pushboolean(L, 1);
	return 1;
}

static int new_lan(lua_State *L)
{
	struct spec_lan *l = lua_newuserdatauv(L, sizeof *l, 0);
	int err;

	memset(l, 0, sizeof *l);
	luaL_setmetatable(L, TYPE);
	err = loop_init(&l->loop);
	if (err)
		return luaL_error(L, "%s", err_text(err));
	l->open = 1;
	err = lan_init(&l->lan, &l->loop);
	if (err)
		return luaL_error(L, "%s", err_text(err));
	return 1;
}

static int close_lan(lua_State *L)
{
	struct spec_lan *l = luaL_checkudata(L, 1, TYPE);

	if (!l->open)
		return 0;
	l->open = 0;
	lan_free(&l->lan);
	loop_free(&l->loop);
	return 0;
}

static int turn(lua_State *L)
{
	int n = loop_turn(&get(L)->loop, (int)luaL_optinteger(L, 2, 0));

	if (n < 0)
		return luaL_error(L, "%s", err_text(n));
	lua_pushinteger(L, n);
	return 1;
}

static int plug(lua_State *L)
{
	struct spec_lan *l = get(L);
	struct lan_port *port;
	struct err err;
	int far_end;

	luaL_argcheck(L, l->nports < MAX, 1, "too many ports");
	port = lan_plug(&l->lan, &far_end, &err);
	if (!port) {
		lua_pushnil(L);
		lua_pushstring(L, err.text);
		lua_pushstring(L, err_name(err.code));
		return 3;
	}
	l->ports[l->nports] = port;
	lua_pushinteger(L, l->nports++);
	lua_pushinteger(L, far_end);
	return 2;
}

static int name(lua_State *L)
{
	struct lan_port *port = *port_of(L);

	return push_result(L, lan_name(port, (int)luaL_checkinteger(L, 3)));
}

static int unplug(lua_State *L)
{
	struct lan_port **port = port_of(L);

	lan_unplug(*port);
	*port = NULL;
	return 0;
}

static int counters(lua_State *L)
{
	const struct lan_port *port = *port_of(L);

	lua_pushinteger(L, (lua_Integer)port->forwarded);
	lua_pushinteger(L, (lua_Integer)port->dropped);
	lua_pushinteger(L, (lua_Integer)port->lost);
	return 3;
}

static int card(lua_State *L)
{
	char mac[18], address[20];

	lan_card((int)luaL_checkinteger(L, 1), mac, address);
	lua_pushstring(L, mac);
	lua_pushstring(L, address);
	return 2;
}

static int send_frame(lua_State *L)
{
	size_t len;
	const char *frame = luaL_checklstring(L, 2, &len);
	ssize_t n = send((int)luaL_checkinteger(L, 1), frame, len,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	return push_result(L, n < 0 ? -errno : 0);
}

static int receive_frame(lua_State *L)
{
	static char frame[2 * LAN_FRAME_MAX];
	ssize_t len = recv((int)luaL_checkinteger(L, 1), frame, sizeof frame,
			   MSG_DONTWAIT);

	if (len < 0)
		return push_result(L, -errno);
	lua_pushlstring(L, frame, (size_t)len);
	return 1;
}

static int far_end_flags(lua_State *L)
{
	int fd = (int)luaL_checkinteger(L, 1);

	lua_pushboolean(L, fcntl(fd, F_GETFD) & FD_CLOEXEC);
	lua_pushboolean(L, fcntl(fd, F_GETFL) & O_NONBLOCK);
	return 2;
}

static void push_sizes(lua_State *L)
{
	lua_newtable(L);
	lua_pushinteger(L, LAN_FRAME_MIN);
	lua_setfield(L, -2, "min");
	lua_pushinteger(L, LAN_FRAME_MAX);
	lua_setfield(L, -2, "max");
	lua_pushinteger(L, LAN_AT_ONCE);
	lua_setfield(L, -2, "at_once");
	lua_pushinteger(L, LAN_LAST_VMID);
	lua_setfield(L, -2, "last_vmid");
}

static const luaL_Reg methods[] = {
	{ "close", close_lan }, { "turn", turn },     { "plug", plug },
	{ "name", name },	{ "unplug", unplug }, { "counters", counters },
	{ "__gc", close_lan },	{ NULL, NULL },
};

__attribute__((visibility("default"))) int
luaopen_gridcentric_engine_lan(lua_State *L);

int luaopen_gridcentric_engine_lan(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "new", new_lan },	      { "card", card },
		{ "send", send_frame },	      { "receive", receive_frame },
		{ "far_end", far_end_flags }, { NULL, NULL },
	};

	luaL_newmetatable(L, TYPE);
	luaL_setfuncs(L, methods, 0);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	luaL_newlib(L, functions);
	push_sizes(L);
	lua_setfield(L, -2, "sizes");
	return 1;
}
