/*
 * lua/proxy - the proxy as a Lua object, gridcentric.proxy
 *
 *	proxy = core.new_proxy(core, { mode = "http", cookie = "sid", ... })
 *	proxy:configure(options)	-> true; mode and cookie stay
 *	proxy:listen(host, port)	-> true
 *	proxy:address()			-> ip, port
 *	proxy:stop_listening()
 *	proxy:drain()			no connection is kept from now on
 *	proxy:route(conn, ip, port, set_cookie or nil)	-> true
 *	proxy:refuse(conn, status, text)		-> true
 *	proxy:drop(conn)		-> true; ends that connection
 *	proxy:detach(conn)		-> true
 *	proxy:counts()	-> {connections=, waiting=, upstreams=, paused=}
 *	proxy:number()			-> n; of its connections: conn >> 55
 *	proxy:close()
 *
 * On failure these return nil, "NAME: text", "NAME"; NAME is ENOENT where the
 * connection is over. Options and commands: proxy/proxy.h. Events, which come
 * from core:next():
 *
 *	"proxy_conn"	conn, ip, port
 *	"proxy_request"	conn, ip, method, target, host, cookie or nil, value of
 *			the field that option `field` names or nil, with option
 *			`agent` that of User-Agent or nil
 *	"proxy_failed"	conn, name of the error, repeatable, what was wrong with
 *			the response or nil
 *	"proxy_done"	conn, status, ms from route to response head (-1: the
 *			response is the proxy's own), name of the error that cut
 *			the response short or nil, what was wrong with it or nil
 *	"proxy_closed"	conn, bytes received, bytes sent
 */
#include "lua/proxy.h"

#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <string.h>

#include "lua/common.h"
#include "proxy/proxy.h"

#define PROXY "gridcentric.proxy"
#define ALL   PROXY ".all"  /* in the registry: weak set of open proxies */
#define LAST  PROXY ".last" /* in the registry: number of the last one */

struct lua_proxy {
	struct proxy *proxy; /* NULL: closed */
	int number;
};

static const char *const modes[] = { "http", "tcp", NULL };

static struct lua_proxy *check_self(lua_State *L)
{
	struct lua_proxy *self = luaL_checkudata(L, 1, PROXY);

	luaL_argcheck(L, self->proxy, 1, "the proxy is closed");
	return self;
}

static struct proxy *check_proxy(lua_State *L)
{
	return check_self(L)->proxy;
}

static int check_int(lua_State *L, int index, lua_Integer max)
{
	lua_Integer value = luaL_checkinteger(L, index);

	luaL_argcheck(L, value >= 0 && value <= max, index, "out of range");
	return (int)value;
}

/* Pushes true, or what failed. */
static int push_result(lua_State *L, int code, const char *what)
{
	struct err err;

	if (code) {
		err_set(&err, code, "%s", what);
		return lua_fail(L, &err);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* ---- options ----------------------------------------------------------- */

/* Where the option of this name is stored; NULL where it is no int. */
static int *int_option(struct proxy_options *options, const char *name)
{
	const struct {
		const char *name;
		int *at;
	} all[] = {
		{ "max_connections", &options->max_connections },
		{ "head_timeout_ms", &options->head_timeout_ms },
		{ "idle_timeout_ms", &options->idle_timeout_ms },
		{ "connect_timeout_ms", &options->connect_timeout_ms },
		{ "response_timeout_ms", &options->response_timeout_ms },
		{ "stall_timeout_ms", &options->stall_timeout_ms },
		{ "tunnel_timeout_ms", &options->tunnel_timeout_ms },
		{ "max_head", &options->max_head },
		{ "max_response_head", &options->max_response_head },
	};
	size_t i;

	for (i = 0; i < sizeof all / sizeof all[0]; i++)
		if (!strcmp(all[i].name, name))
			return all[i].at;
	return NULL;
}

/* A string of the table of options. Not a number: the text that Lua would make
 * of it would be gone with the stack. */
static const char *check_name(lua_State *L, int value)
{
	luaL_checktype(L, value, LUA_TSTRING);
	return lua_tostring(L, value);
}

/* The option whose name is below its value on the stack. */
static void read_option(lua_State *L, struct proxy_options *options)
{
	const char *name = luaL_checkstring(L, -2);
	int *number = int_option(options, name);
	int value = lua_gettop(L), is_integer;
	lua_Integer integer = lua_tointegerx(L, value, &is_integer);

	if (!strcmp(name, "mode")) {
		options->mode = (enum proxy_mode)luaL_checkoption(L, value,
								  NULL, modes);
		return;
	}
	if (!strcmp(name, "cookie")) {
		options->cookie = check_name(L, value);
		return;
	}
	if (!strcmp(name, "field")) {
		options->field = check_name(L, value);
		return;
	}
	if (!strcmp(name, "agent")) {
		luaL_checktype(L, value, LUA_TBOOLEAN);
		options->agent = lua_toboolean(L, value);
		return;
	}
	if (!number && strcmp(name, "max_body"))
		luaL_error(L, "unknown option '%s'", name);
	if (!is_integer || integer < 0 || (number && integer > INT_MAX))
		luaL_error(L, "option '%s' is out of range", name);
	if (number)
		*number = (int)integer;
	else
		options->max_body = integer;
}

static void read_options(lua_State *L, int table, struct proxy_options *options)
{
	proxy_defaults(options);
	luaL_checktype(L, table, LUA_TTABLE);
	lua_pushnil(L);
	while (lua_next(L, table)) {
		luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING, table,
			      "names of options are strings");
		read_option(L, options);
		lua_pop(L, 1);
	}
}

/* Numbers proxies in turn, so that the ids of two open ones differ. */
static int next_number(lua_State *L)
{
	int number;

	lua_getfield(L, LUA_REGISTRYINDEX, LAST);
	number = ((int)lua_tointeger(L, -1) + 1) & 255;
	lua_pop(L, 1);
	lua_pushinteger(L, number);
	lua_setfield(L, LUA_REGISTRYINDEX, LAST);
	return number;
}

/* Adds the proxy on top of the stack to the set of all. */
static void add_to_all(lua_State *L)
{
	lua_getfield(L, LUA_REGISTRYINDEX, ALL);
	lua_pushvalue(L, -2);
	lua_pushboolean(L, 1);
	lua_settable(L, -3);
	lua_pop(L, 1);
}

void lua_proxy_forget(lua_State *L)
{
	const struct lua_proxy *self;

	lua_getfield(L, LUA_REGISTRYINDEX, ALL);
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		self = lua_touserdata(L, -2);
		if (self->proxy)
			proxy_forget(self->proxy);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static int new_proxy(lua_State *L)
{
	struct gc *gc = lua_check_core(L, 1);
	struct proxy_options options;
	struct lua_proxy *self;
	int err;

	lua_settop(L, 2);
	read_options(L, 2, &options);
	self = lua_newuserdatauv(L, sizeof *self, 1);
	self->proxy = NULL;
	self->number = options.number = next_number(L);
	luaL_setmetatable(L, PROXY);
	lua_pushvalue(L, 1); /* keeps the core, whose loop it uses */
	lua_setiuservalue(L, -2, 1);
	add_to_all(L);
	err = proxy_new(&gc->loop, &options, &self->proxy);
	if (err == -EINVAL)
		return luaL_argerror(L, 2, "an option is out of range");
	return err ? push_result(L, err, "proxy") : 1;
}

/* ---- methods ----------------------------------------------------------- */

static int method_configure(lua_State *L)
{
	struct proxy *proxy = check_proxy(L);
	struct proxy_options options;
	int err;

	lua_settop(L, 2);
	read_options(L, 2, &options);
	err = proxy_configure(proxy, &options);
	if (err == -EINVAL)
		return luaL_argerror(L, 2, "an option is out of range");
	return push_result(L, err, "configure");
}

static int method_listen(lua_State *L)
{
	struct proxy *proxy = check_proxy(L);
	const char *host = luaL_checkstring(L, 2);
	int port = check_int(L, 3, 65535);
	struct err err = { 0 };

	if (proxy_listen(proxy, host, port, &err))
		return lua_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

static int method_address(lua_State *L)
{
	char ip[64];
	int port, err = proxy_address(check_proxy(L), ip, &port);

	if (err)
		return push_result(L, err, "address");
	lua_pushstring(L, ip);
	lua_pushinteger(L, port);
	return 2;
}

static int method_stop_listening(lua_State *L)
{
	proxy_stop_listening(check_proxy(L));
	return 0;
}

static int method_drain(lua_State *L)
{
	proxy_drain(check_proxy(L));
	return 0;
}

static int method_route(lua_State *L)
{
	struct proxy *proxy = check_proxy(L);
	lua_Integer conn = luaL_checkinteger(L, 2);
	const char *ip = luaL_checkstring(L, 3);
	int port = check_int(L, 4, 65535);
	const char *set_cookie = luaL_optstring(L, 5, NULL);

	return push_result(L, proxy_route(proxy, conn, ip, port, set_cookie),
			   "route");
}

static int method_refuse(lua_State *L)
{
	struct proxy *proxy = check_proxy(L);
	lua_Integer conn = luaL_checkinteger(L, 2);
	int status = check_int(L, 3, 599);
	const char *text = luaL_checkstring(L, 4);

	return push_result(L, proxy_refuse(proxy, conn, status, text),
			   "refuse");
}

static int method_drop(lua_State *L)
{
	struct proxy *proxy = check_proxy(L);

	return push_result(L, proxy_close(proxy, luaL_checkinteger(L, 2)),
			   "drop");
}

static int method_detach(lua_State *L)
{
	struct proxy *proxy = check_proxy(L);

	return push_result(L, proxy_detach(proxy, luaL_checkinteger(L, 2)),
			   "detach");
}

static int method_counts(lua_State *L)
{
	struct proxy_counts counts;

	proxy_count(check_proxy(L), &counts);
	lua_createtable(L, 0, 4);
	lua_pushinteger(L, counts.connections);
	lua_setfield(L, -2, "connections");
	lua_pushinteger(L, counts.waiting);
	lua_setfield(L, -2, "waiting");
	lua_pushinteger(L, counts.upstreams);
	lua_setfield(L, -2, "upstreams");
	lua_pushboolean(L, counts.paused);
	lua_setfield(L, -2, "paused");
	return 1;
}

static int method_number(lua_State *L)
{
	lua_pushinteger(L, check_self(L)->number);
	return 1;
}

static int method_close(lua_State *L)
{
	struct lua_proxy *self = luaL_checkudata(L, 1, PROXY);

	proxy_free(self->proxy);
	self->proxy = NULL;
	return 0;
}

/* ---- events ------------------------------------------------------------ */

static void push_slice(lua_State *L, struct http_slice s)
{
	if (s.at)
		lua_pushlstring(L, s.at, s.len);
	else
		lua_pushnil(L);
}

/* Pushes the name of the error, or nil where there was none. */
static void push_error(lua_State *L, const struct proxy_event *event)
{
	if (event->error)
		lua_pushstring(L, err_name(event->error));
	else
		lua_pushnil(L);
}

/* Pushes the values behind the connection; returns their number. */
static int push_values(lua_State *L, const struct proxy_event *event)
{
	switch ((enum proxy_event_kind)event->completion.kind) {
	case PROXY_CONN:
		lua_pushstring(L, event->peer);
		lua_pushinteger(L, event->port);
		return 2;
	case PROXY_REQUEST:
		lua_pushstring(L, event->peer);
		push_slice(L, event->method);
		push_slice(L, event->target);
		push_slice(L, event->host);
		push_slice(L, event->cookie);
		push_slice(L, event->field);
		push_slice(L, event->agent);
		return 7;
	case PROXY_FAILED:
		push_error(L, event);
		lua_pushboolean(L, event->repeatable);
		lua_pushstring(L, event->detail);
		return 3;
	case PROXY_DONE:
		lua_pushinteger(L, event->status);
		lua_pushinteger(L, event->wait_ms);
		push_error(L, event);
		lua_pushstring(L, event->detail);
		return 4;
	default:
		lua_pushinteger(L, (lua_Integer)event->nreceived);
		lua_pushinteger(L, (lua_Integer)event->nsent);
		return 2;
	}
}

int lua_proxy_push_event(lua_State *L, struct completion *completion)
{
	static const char *const names[] = {
		"proxy_conn", "proxy_request", "proxy_failed",
		"proxy_done", "proxy_closed",
	};
	const struct proxy_event *event = proxy_event_of(completion);
	int n;

	luaL_checkstack(L, 10, "event");
	lua_pushstring(L, names[completion->kind - PROXY_CONN]);
	lua_pushinteger(L, event->conn);
	n = 2 + push_values(L, event);
	/* only now: where pushing raises, the event is still the proxy's */
	proxy_event_free(proxy_take_event(completion));
	return n;
}

/* ---- module ------------------------------------------------------------ */

static const luaL_Reg methods[] = {
	{ "configure", method_configure },
	{ "listen", method_listen },
	{ "address", method_address },
	{ "stop_listening", method_stop_listening },
	{ "drain", method_drain },
	{ "route", method_route },
	{ "refuse", method_refuse },
	{ "drop", method_drop },
	{ "detach", method_detach },
	{ "counts", method_counts },
	{ "number", method_number },
	{ "close", method_close },
	{ NULL, NULL },
};

static const luaL_Reg metamethods[] = {
	{ "__gc", method_close },
	{ "__close", method_close },
	{ NULL, NULL },
};

static void make_set_of_all(lua_State *L)
{
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "k");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_setfield(L, LUA_REGISTRYINDEX, ALL);
}

void lua_proxy_open(lua_State *L)
{
	if (luaL_newmetatable(L, PROXY)) {
		luaL_setfuncs(L, metamethods, 0);
		luaL_newlib(L, methods);
		lua_setfield(L, -2, "__index");
		make_set_of_all(L);
	}
	lua_pop(L, 1);
	lua_pushcfunction(L, new_proxy);
	lua_setfield(L, -2, "new_proxy");
}
