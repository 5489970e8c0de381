/*
 * gridcentric.engine_qmp - the client of QEMU's machine protocol, for specs
 *
 *	client, far_end = engine_qmp.open(function(what, ...) end)
 *		later: "event", name, JSON or nil
 *		"answer", id, JSON or nil, text, code	-- text nil: it went well
 *		"lost", text, code
 *	client:call(command, JSON or nil, fd or nil)	-- -> id
 *	client:tell(command)		-- nobody is answered
 *	client:call_wrong(fd)		-- with what is no argument
 *	client:turn(timeout_ms)		-- -> number of handlers run
 *	client:close()			-- also in a handler
 *	client:free()			-- not in a handler; also by the collector
 *
 *	engine_qmp.send(fd, text)	-- as QEMU
 *	engine_qmp.receive(fd)		-- -> text, descriptor or nil; nil: none
 *					-- waits, "": its end
 *	engine_qmp.max_line
 *
 * An error in the handler is raised by turn().
 */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/vm/qmp.h"
#include "spec_socket.h"

#define TYPE "gridcentric.engine_qmp"

struct client;

/* Lives as long as the client: a command's name is to stay. */
struct call {
	struct call *next;
	struct client *client;
	int id;
	char name[64];
};

struct client {
	struct loop loop;
	struct qmp qmp;
	struct call *calls;
	int ncalls, open;
	lua_State *L; /* the one that turns */
	int handler;  /* reference */
	int failed;   /* the handler; its error is on the stack of L */
};

static struct client *get(lua_State *L)
{
	struct client *c = luaL_checkudata(L, 1, TYPE);

	luaL_argcheck(L, c->open, 1, "freed");
	return c;
}

/* ---- what it tells ------------------------------------------------------- */

static void begin_event(struct client *c, const char *what)
{
	luaL_checkstack(c->L, 20, NULL);
	lua_rawgeti(c->L, LUA_REGISTRYINDEX, c->handler);
	lua_pushstring(c->L, what);
}

static void end_event(struct client *c, int n)
{
	if (lua_pcall(c->L, n + 1, 0, 0) == LUA_OK)
		return;
	if (c->failed)
		lua_pop(c->L, 1); /* the first one is told */
	c->failed = 1;
}

static void push_json(lua_State *L, json_t *value)
{
	char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS)
			   : NULL;

	lua_pushstring(L, text);
	free(text);
}

static void push_err(lua_State *L, const struct err *err)
{
	lua_pushstring(L, err->code ? err->text : NULL);
	lua_pushstring(L, err->code ? err_name(err->code) : NULL);
}

static void on_event(struct qmp *qmp, const char *name, json_t *data)
{
	struct client *c = container_of(qmp, struct client, qmp);

	begin_event(c, "event");
	lua_pushstring(c->L, name);
	push_json(c->L, data);
	end_event(c, 2);
}

static void on_lost(struct qmp *qmp, const struct err *err)
{
	struct client *c = container_of(qmp, struct client, qmp);

	begin_event(c, "lost");
	push_err(c->L, err);
	end_event(c, 2);
}

static void on_answer(void *owner, json_t *result, const struct err *err)
{
	struct call *call = owner;
	struct client *c = call->client;

	begin_event(c, "answer");
	lua_pushinteger(c->L, call->id);
	push_json(c->L, result);
	push_err(c->L, err);
	end_event(c, 4);
}

/* ---- the client ---------------------------------------------------------- */

static int open_client(lua_State *L)
{
	struct client *c;
	int fds[2], code;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	c = lua_newuserdatauv(L, sizeof *c, 0);
	memset(c, 0, sizeof *c);
	luaL_setmetatable(L, TYPE);
	code = loop_init(&c->loop);
	if (code)
		return luaL_error(L, "%s", err_text(code));
	c->open = 1;
	c->L = L;
	lua_pushvalue(L, 1);
	c->handler = luaL_ref(L, LUA_REGISTRYINDEX);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return luaL_error(L, "%s", strerror(errno));
	code = qmp_open(&c->qmp, &c->loop, fds[0], on_event, on_lost);
	if (code)
		return luaL_error(L, "%s", err_text(code));
	lua_pushinteger(L, fds[1]);
	return 2;
}

static int close_client(lua_State *L)
{
	qmp_close(&get(L)->qmp);
	return 0;
}

static int free_client(lua_State *L)
{
	struct client *c = luaL_checkudata(L, 1, TYPE);
	struct call *call;

	if (!c->open)
		return 0;
	c->open = 0;
	qmp_close(&c->qmp);
	loop_free(&c->loop);
	while ((call = c->calls)) {
		c->calls = call->next;
		free(call);
	}
	luaL_unref(L, LUA_REGISTRYINDEX, c->handler);
	return 0;
}

static int turn(lua_State *L)
{
	struct client *c = get(L);
	int n;

	c->L = L;
	n = loop_turn(&c->loop, (int)luaL_optinteger(L, 2, 0));
	if (c->failed) {
		c->failed = 0;
		return lua_error(L);
	}
	if (n < 0)
		return luaL_error(L, "%s", err_text(n));
	lua_pushinteger(L, n);
	return 1;
}

static struct call *new_call(lua_State *L)
{
	struct client *c = get(L);
	const char *name = luaL_checkstring(L, 2);
	struct call *call = calloc(1, sizeof *call);

	if (!call)
		luaL_error(L, "no memory");
	call->client = c;
	call->id = ++c->ncalls;
	call->next = c->calls;
	c->calls = call;
	strncpy(call->name, name, sizeof call->name - 1);
	return call;
}

static int call_command(lua_State *L)
{
	struct call *call = new_call(L);
	const char *arguments = luaL_optstring(L, 3, NULL);
	int fd = (int)luaL_optinteger(L, 4, -1);
	struct qmp *qmp = &call->client->qmp;

	if (arguments)
		qmp_call(qmp, fd, on_answer, call, call->name, "o",
			 json_loads(arguments, 0, NULL));
	else
		qmp_call(qmp, fd, on_answer, call, call->name, NULL);
	lua_pushinteger(L, call->id);
	return 1;
}

static int tell(lua_State *L)
{
	struct call *call = new_call(L);

	qmp_call(&call->client->qmp, -1, NULL, NULL, call->name, NULL);
	return 0;
}

static int call_wrong(lua_State *L)
{
	struct client *c = get(L);

	qmp_call(&c->qmp, (int)luaL_optinteger(L, 2, -1), NULL, NULL, "wrong",
		 "{s:s}", "name", "\xff");
	return 0;
}

static const luaL_Reg methods[] = {
	{ "call", call_command },  { "tell", tell },
	{ "turn", turn },	   { "call_wrong", call_wrong },
	{ "close", close_client }, { "free", free_client },
	{ "__gc", free_client },   { NULL, NULL },
};

__attribute__((visibility("default"))) int
luaopen_gridcentric_engine_qmp(lua_State *L);

int luaopen_gridcentric_engine_qmp(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "open", open_client },
		{ "send", spec_send },
		{ "receive", spec_receive },
		{ NULL, NULL },
	};

	luaL_newmetatable(L, TYPE);
	luaL_setfuncs(L, methods, 0);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	luaL_newlib(L, functions);
	lua_pushinteger(L, QMP_MAX_LINE);
	lua_setfield(L, -2, "max_line");
	return 1;
}
