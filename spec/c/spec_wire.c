/*
 * gridcentric.spec_wire - wire.c, for specs only
 *
 *	wire.encode(type, field ...) -> frame, or nil, errno's name
 *	wire.decode(bytes) -> length, type, descriptors, {field ...}; 0; or
 *		nil, errno's name
 *	wire.relay(frame) -> the frame as wire_relay() writes it
 *	wire.relay(frame, op) -> its first field read and op in its place
 *	wire.pty() -> the descriptor of a pseudo terminal, and the path of its
 *		other end: a device to send messages through
 *	wire.types -> {{name, number, schema} ...}
 *
 * type: the name in WIRE_MESSAGES. A field is an integer or a string, those of
 * groups follow on.
 */
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "wire/wire.h"

#define X(name, number, schema) { #name, number, schema },
static const struct {
	const char *name;
	int number;
	const char *schema;
} types[] = { WIRE_MESSAGES(X) };
#undef X

#define NTYPES (sizeof types / sizeof types[0])

static size_t find(int number)
{
	size_t i;

	for (i = 0; i < NTYPES && types[i].number != number; i++)
		;
	return i;
}

static int fail(lua_State *L, int code)
{
	lua_pushnil(L);
	lua_pushstring(L, err_name(code));
	return 2;
}

static int encode(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	struct wire_buf buf = { 0 };
	size_t i, len;
	int arg, code;

	for (i = 0; i < NTYPES && strcmp(types[i].name, name) != 0; i++)
		;
	luaL_argcheck(L, i < NTYPES, 1, "no such type");
	wire_begin(&buf, (enum wire_type)types[i].number, 0);
	for (arg = 2; arg <= lua_gettop(L); arg++) {
		if (lua_isinteger(L, arg)) {
			wire_put_int(&buf, lua_tointeger(L, arg));
		} else {
			const char *text = lua_tolstring(L, arg, &len);

			wire_put_str(&buf, text ? text : "", text ? len : 0);
		}
	}
	code = wire_end(&buf);
	if (!code)
		lua_pushlstring(L, (const char *)buf.data, buf.len);
	wire_free(&buf);
	return code ? fail(L, code) : 1;
}

/* Pushes the fields that msg still has, as the schema names them. */
static void push_fields(lua_State *L, struct wire_msg *msg, const char *schema)
{
	const char *group = strchr(schema, '|');
	lua_Integer n = 0;

	lua_newtable(L);
	for (; wire_more(msg) || (*schema && *schema != '|'); schema++) {
		if (!*schema || *schema == '|')
			schema = group + 1;
		if (*schema == 'i') {
			lua_pushinteger(L, wire_int(msg));
		} else {
			struct wire_str s = wire_str(msg);

			lua_pushlstring(L, s.p, s.len);
		}
		lua_rawseti(L, -2, ++n);
	}
}

static int decode(lua_State *L)
{
	size_t len;
	const char *bytes = luaL_checklstring(L, 1, &len);
	struct wire_msg msg;
	int n = wire_decode(bytes, len, &msg);

	if (n < 0)
		return fail(L, n);
	lua_pushinteger(L, n);
	if (n == 0)
		return 1;
	lua_pushstring(L, wire_name(msg.type));
	lua_pushinteger(L, msg.nfds);
	push_fields(L, &msg, types[find((int)msg.type)].schema);
	return 4;
}

static int relay(lua_State *L)
{
	size_t len;
	const char *bytes = luaL_checklstring(L, 1, &len);
	lua_Integer op = luaL_optinteger(L, 2, 0);
	struct wire_buf buf = { 0 };
	struct wire_msg msg;
	int code;

	luaL_argcheck(L, wire_decode(bytes, len, &msg) > 0, 1, "no frame");
	if (lua_isnoneornil(L, 2)) {
		code = wire_relay(&buf, &msg);
	} else {
		wire_int(&msg);
		code = wire_relay_op(&buf, &msg, op);
	}
	if (!code)
		lua_pushlstring(L, (const char *)buf.data, buf.len);
	wire_free(&buf);
	return code ? fail(L, code) : 1;
}

static int pty(lua_State *L)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || grantpt(fd) < 0 || unlockpt(fd) < 0)
		return luaL_error(L, "no pseudo terminal");
	lua_pushinteger(L, fd);
	lua_pushstring(L, ptsname(fd));
	return 2;
}

static void push_types(lua_State *L)
{
	size_t i;

	lua_newtable(L);
	for (i = 0; i < NTYPES; i++) {
		lua_newtable(L);
		lua_pushstring(L, types[i].name);
		lua_rawseti(L, -2, 1);
		lua_pushinteger(L, types[i].number);
		lua_rawseti(L, -2, 2);
		lua_pushstring(L, types[i].schema);
		lua_rawseti(L, -2, 3);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

__attribute__((visibility("default"))) int
luaopen_gridcentric_spec_wire(lua_State *L);

int luaopen_gridcentric_spec_wire(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "encode", encode }, { "decode", decode }, { "relay", relay },
		{ "pty", pty },	      { NULL, NULL },
	};

	luaL_newlib(L, functions);
	push_types(L);
	lua_setfield(L, -2, "types");
	return 1;
}
