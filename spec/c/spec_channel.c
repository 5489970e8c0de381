/*
 * gridcentric.spec_channel - one end of a channel, for specs
 *
 *	channel, far_end = spec_channel.open(function(what, ...) end)
 *		later: "message", text, number of descriptors	-- of a REPORT
 *		"ended", errno's name or nil
 *	channel:put(text, fd or nil)	-- writes a REPORT, that is not sent yet
 *	channel:send(), channel:hold(on), channel:pause(on)
 *	channel:unsent()		-- -> bytes
 *	channel:turn(timeout_ms)	-- -> number of handlers run
 *	channel:close()			-- also in a handler
 *	channel:free()			-- not in a handler; also by the collector
 *
 *	spec_channel.pair()		-- -> two connected sockets
 *	spec_channel.send(fd, bytes)
 *	spec_channel.receive(fd)	-- -> bytes, descriptor or nil; nil: none
 *					-- wait, "": its end
 *
 * An error in the handler is raised by turn() and pause().
 */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "spec_socket.h"
#include "wire/channel.h"

#define TYPE "gridcentric.spec_channel"

struct spec_channel {
	struct loop loop;
	struct channel channel;
	int open;
	lua_State *L; /* the one that calls */
	int handler;  /* reference */
	int failed;   /* the handler; its error is on the stack of L */
};

static struct spec_channel *get(lua_State *L)
{
	struct spec_channel *c = luaL_checkudata(L, 1, TYPE);

	luaL_argcheck(L, c->open, 1, "freed");
	return c;
}

/* ---- what it tells ------------------------------------------------------- */

static void begin_event(struct spec_channel *c, const char *what)
{
	luaL_checkstack(c->L, 20, NULL);
	lua_rawgeti(c->L, LUA_REGISTRYINDEX, c->handler);
	lua_pushstring(c->L, what);
}

static void end_event(struct spec_channel *c, int n)
{
	if (lua_pcall(c->L, n + 1, 0, 0) == LUA_OK)
		return;
	if (c->failed)
		lua_pop(c->L, 1); /* the first one is told */
	c->failed = 1;
}

static void on_message(struct channel *channel, struct wire_msg *msg)
{
	struct spec_channel *c =
		container_of(channel, struct spec_channel, channel);
	struct wire_str text = wire_str(msg);

	begin_event(c, "message");
	lua_pushlstring(c->L, text.p, text.len);
	lua_pushinteger(c->L, msg->nfds);
	end_event(c, 2);
}

static void on_ended(struct channel *channel, int err)
{
	struct spec_channel *c =
		container_of(channel, struct spec_channel, channel);

	begin_event(c, "ended");
	lua_pushstring(c->L, err ? err_name(err) : NULL);
	end_event(c, 1);
}

static int finish(struct spec_channel *c, int n)
{
	if (c->failed) {
		c->failed = 0;
		return lua_error(c->L);
	}
	return n;
}

/* ---- the channel --------------------------------------------------------- */

static void make_pair(lua_State *L, int *fds)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		luaL_error(L, "%s", strerror(errno));
}

static int open_channel(lua_State *L)
{
	struct spec_channel *c;
	int fds[2], code;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	c = lua_newuserdatauv(L, sizeof *c, 0);
	memset(c, 0, sizeof *c);
	luaL_setmetatable(L, TYPE);
	code = loop_init(&c->loop);
	if (code)
		return luaL_error(L, "%s", err_text(code));
	c->open = 1;
	lua_pushvalue(L, 1);
	c->handler = luaL_ref(L, LUA_REGISTRYINDEX);
	make_pair(L, fds);
	code = channel_open(&c->channel, &c->loop, fds[0], on_message,
			    on_ended);
	if (code)
		return luaL_error(L, "%s", err_text(code));
	lua_pushinteger(L, fds[1]);
	return 2;
}

static int close_channel(lua_State *L)
{
	channel_close(&get(L)->channel, NULL);
	return 0;
}

static int free_channel(lua_State *L)
{
	struct spec_channel *c = luaL_checkudata(L, 1, TYPE);

	if (!c->open)
		return 0;
	c->open = 0;
	channel_close(&c->channel, NULL);
	loop_free(&c->loop);
	luaL_unref(L, LUA_REGISTRYINDEX, c->handler);
	return 0;
}

static int put(lua_State *L)
{
	struct channel *channel = &get(L)->channel;
	struct wire_buf *out = channel_out(channel);
	size_t len;
	const char *text = luaL_checklstring(L, 2, &len);
	int fd = (int)luaL_optinteger(L, 3, -1), code;

	wire_begin(out, WIRE_REPORT, fd >= 0);
	wire_put_str(out, text, len);
	code = fd >= 0 ? channel_end_frame(channel, &fd, 1) : wire_end(out);
	return code ? luaL_error(L, "%s", err_text(code)) : 0;
}

static int send_out(lua_State *L)
{
	channel_send(&get(L)->channel);
	return 0;
}

static int hold(lua_State *L)
{
	channel_hold(&get(L)->channel, lua_toboolean(L, 2));
	return 0;
}

static int pause_channel(lua_State *L)
{
	struct spec_channel *c = get(L);

	c->L = L;
	channel_pause(&c->channel, lua_toboolean(L, 2));
	return finish(c, 0);
}

static int unsent(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)channel_out(&get(L)->channel)->len);
	return 1;
}

static int turn(lua_State *L)
{
	struct spec_channel *c = get(L);
	int n;

	c->L = L;
	n = loop_turn(&c->loop, (int)luaL_optinteger(L, 2, 0));
	if (n < 0)
		return luaL_error(L, "%s", err_text(n));
	finish(c, 0);
	lua_pushinteger(L, n);
	return 1;
}

/* ---- the other side ------------------------------------------------------ */

static int new_pair(lua_State *L)
{
	int fds[2];

	make_pair(L, fds);
	lua_pushinteger(L, fds[0]);
	lua_pushinteger(L, fds[1]);
	return 2;
}

static const luaL_Reg methods[] = {
	{ "put", put },
	{ "send", send_out },
	{ "hold", hold },
	{ "pause", pause_channel },
	{ "unsent", unsent },
	{ "turn", turn },
	{ "close", close_channel },
	{ "free", free_channel },
	{ "__gc", free_channel },
	{ NULL, NULL },
};

__attribute__((visibility("default"))) int
luaopen_gridcentric_spec_channel(lua_State *L);

int luaopen_gridcentric_spec_channel(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "open", open_channel }, { "pair", new_pair },
		{ "send", spec_send },	  { "receive", spec_receive },
		{ NULL, NULL },
	};

	luaL_newmetatable(L, TYPE);
	luaL_setfuncs(L, methods, 0);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	luaL_newlib(L, functions);
	return 1;
}
