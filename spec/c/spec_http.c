/*
 * gridcentric.spec_http - the http_* modules of C, for specs only
 *
 *	http.head(kind, text [, limits [, cookie]]) -> table
 *	http.body(framing, text [, length [, max [, how]]]) -> bytes read, bytes
 *					passed on, whether the body has ended;
 *					how: "decode", "padded", "raw"
 *	http.request(text, client [, cookie]) -> the head that goes onward
 *	http.response(kind, text, how) -> the head that goes back
 *	http.answer(status, text, keep_alive, to_head [, minor]) -> message
 *
 * kind: "request", "response", "response-to-head".
 */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "base/err.h"
#include "http/body.h"
#include "http/cookie.h"
#include "http/forward.h"

static const char *const kinds[] = { "request", "response", "response-to-head",
				     NULL };
static const char *const framings[] = { "none", "length", "chunked",
					"until close", NULL };
/* Flags of http_body, by what the third argument of body() calls them. */
static const char *const formats[] = { "raw", "decode", "padded", NULL };
static const char *const results[] = { "more", "done", "bad" };

static lua_Integer option(lua_State *L, int table, const char *name,
			  lua_Integer otherwise)
{
	lua_Integer value = otherwise;

	if (lua_istable(L, table)) {
		lua_getfield(L, table, name);
		value = luaL_optinteger(L, -1, otherwise);
		lua_pop(L, 1);
	}
	return value;
}

static bool flag(lua_State *L, int table, const char *name)
{
	bool value;

	lua_getfield(L, table, name);
	value = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return value;
}

static void set_slice(lua_State *L, const char *name, struct http_slice s)
{
	if (!s.at)
		return;
	lua_pushlstring(L, s.at, s.len);
	lua_setfield(L, -2, name);
}

static void set_integer(lua_State *L, const char *name, lua_Integer value)
{
	lua_pushinteger(L, value);
	lua_setfield(L, -2, name);
}

static void set_flag(lua_State *L, const char *name, bool value)
{
	lua_pushboolean(L, value);
	lua_setfield(L, -2, name);
}

static void set_text(lua_State *L, const char *name, const char *value)
{
	lua_pushstring(L, value);
	lua_setfield(L, -2, name);
}

static void push_fields(lua_State *L, const struct http_head *head)
{
	unsigned i;

	lua_newtable(L);
	for (i = 0; i < head->nfields; i++) {
		lua_pushlstring(L, head->fields[i].name.at,
				head->fields[i].name.len);
		lua_pushlstring(L, ": ", 2);
		lua_pushlstring(L, head->fields[i].value.at,
				head->fields[i].value.len);
		lua_concat(L, 3);
		lua_rawseti(L, -2, (int)i + 1);
	}
}

/* Scans the text at this stack index. */
static struct http_head *scan(lua_State *L, int kind, int text,
			      const struct http_limits *limits)
{
	static struct http_head found;
	size_t len;
	const char *buf = luaL_checklstring(L, text, &len);

	http_head_init(&found, (enum http_kind)kind, limits);
	http_head_scan(&found, buf, len);
	return &found;
}

static int head(lua_State *L)
{
	struct http_limits limits = {
		(size_t)option(L, 3, "head_len", 16384),
		(size_t)option(L, 3, "target_len", 8192),
		(unsigned)option(L, 3, "nfields", HTTP_MAX_FIELDS),
	};
	struct http_slice cookie = { luaL_optstring(L, 4, "sid"), 0 };
	int kind = luaL_checkoption(L, 1, NULL, kinds);
	const struct http_head *h = scan(L, kind, 2, &limits);

	cookie.len = strlen(cookie.at);
	lua_newtable(L);
	set_text(L, "result", results[h->state]);
	set_integer(L, "status", h->status);
	set_text(L, "why", h->why);
	if (h->state != HTTP_DONE)
		return 1;
	set_integer(L, "len", (lua_Integer)h->len);
	set_integer(L, "minor", h->minor);
	set_text(L, "framing", framings[h->framing]);
	set_integer(L, "content_length", h->content_length);
	set_flag(L, "keep_alive", h->keep_alive);
	set_flag(L, "expects_continue", h->expects_continue);
	set_slice(L, "method", h->method);
	set_slice(L, "target", h->target);
	set_slice(L, "path", h->path);
	set_slice(L, "host", h->host);
	set_slice(L, "reason", h->reason);
	set_slice(L, "upgrade", h->upgrade);
	set_slice(L, "cookie", http_cookie_find(h, cookie));
	push_fields(L, h);
	lua_setfield(L, -2, "fields");
	return 1;
}

static int body(lua_State *L)
{
	int framing = luaL_checkoption(L, 1, NULL, framings);
	unsigned flags = (unsigned)luaL_checkoption(L, 5, "decode", formats);
	size_t len, kept;
	const char *text = luaL_checklstring(L, 2, &len);
	lua_Integer length = luaL_optinteger(L, 3, 0);
	lua_Integer max = luaL_optinteger(L, 4, 0);
	char *copy = lua_newuserdatauv(L, len + 1, 0);
	struct http_body b;
	ssize_t n;

	memcpy(copy, text, len);
	http_body_init(&b, (enum http_framing)framing, length, max, flags);
	n = http_body_read(&b, copy, len, &kept);
	if (n < 0) {
		lua_pushnil(L);
		lua_pushstring(L, err_name((int)n));
		return 2;
	}
	lua_pushinteger(L, n);
	lua_pushlstring(L, copy, kept);
	lua_pushboolean(L, b.state == HTTP_BODY_END);
	return 3;
}

static int push_written(lua_State *L, const char *buf, ssize_t n)
{
	if (n < 0)
		return luaL_error(L, "%s", err_name((int)n));
	lua_pushlstring(L, buf, (size_t)n);
	return 1;
}

static const struct http_limits wide = { 16384, 8192, HTTP_MAX_FIELDS };

static int request(lua_State *L)
{
	const struct http_head *h = scan(L, HTTP_REQUEST, 1, &wide);
	struct http_onward how = { .client = luaL_checkstring(L, 2) };
	size_t room = http_forward_room(h);
	char *buf = lua_newuserdatauv(L, room, 0);

	how.cookie.at = luaL_optlstring(L, 3, NULL, &how.cookie.len);
	return push_written(L, buf, http_forward_request(h, &how, buf, room));
}

static int response(lua_State *L)
{
	int kind = luaL_checkoption(L, 1, NULL, kinds);
	const struct http_head *h = scan(L, kind, 2, &wide);
	struct http_backward how = {
		.client_minor = (int)option(L, 3, "client_minor", 1),
		.keep_alive = flag(L, 3, "keep_alive"),
		.decoded = flag(L, 3, "decoded"),
	};
	char buf[32768];

	lua_getfield(L, 3, "set_cookie");
	how.set_cookie = lua_tostring(L, -1);
	return push_written(L, buf,
			    http_forward_response(h, &how, buf, sizeof buf));
}

static int answer(lua_State *L)
{
	struct http_answer how = {
		.status = (int)luaL_checkinteger(L, 1),
		.text = luaL_checkstring(L, 2),
		.keep_alive = lua_toboolean(L, 3),
		.to_head = lua_toboolean(L, 4),
		.client_minor = (int)luaL_optinteger(L, 5, 1),
	};
	char buf[1024];

	return push_written(L, buf, http_forward_answer(&how, buf, sizeof buf));
}

__attribute__((visibility("default"))) int
luaopen_gridcentric_spec_http(lua_State *L);

int luaopen_gridcentric_spec_http(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "head", head },	{ "body", body },
		{ "request", request }, { "response", response },
		{ "answer", answer },	{ NULL, NULL },
	};

	luaL_newlib(L, functions);
	return 1;
}
