/*
 * gridcentric.spec_base - parts of base/ one by one, for specs
 *
 *	heap = spec_base.heap()
 *	heap:insert(id, key)		-- id: 1 to 4096, in no heap
 *	heap:remove(id)
 *	heap:first()			-- -> id with the least key, nil: empty
 *
 *	loop = spec_base.loop(function(id) end)	-- a loop with timers by id
 *	loop:start(id, delay_ms)	-- restarts it if it runs
 *	loop:stop(id)
 *	loop:turn(timeout_ms)		-- -> number of handlers run
 *	loop:close()			-- also by the collector
 *
 *	spec_base.append_tail(tail, size, data)	-- -> the new tail
 *	spec_base.clean(text)			-- -> text
 *
 *	spec_base.connect(path, timeout_ms)	-- -> fd
 *	spec_base.listen(path, mode, backlog)	-- -> fd
 *	spec_base.claim(name)			-- -> fd
 *	spec_base.pair()			-- -> two connected sockets
 *	spec_base.send(fd, bytes, { fd, ... })	-- -> bytes sent
 *	spec_base.receive(fd, bytes)	-- -> bytes, { fd, ... }, whether lost
 *
 * What fails returns nil and the name of errno. An error in the handler is
 * raised by turn().
 */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/heap.h"
#include "base/loop.h"
#include "base/text.h"
#include "base/unix_socket.h"

#define HEAP  "gridcentric.spec_base.heap"
#define LOOP  "gridcentric.spec_base.loop"
#define NODES 4096

static int push_int(lua_State *L, ssize_t value)
{
	if (value >= 0) {
		lua_pushinteger(L, value);
		return 1;
	}
	lua_pushnil(L);
	lua_pushstring(L, err_name((int)value));
	return 2;
}

static int check_id(lua_State *L)
{
	lua_Integer id = luaL_checkinteger(L, 2);

	luaL_argcheck(L, id >= 1 && id <= NODES, 2, "no such id");
	return (int)id;
}

/* ---- a heap -------------------------------------------------------------- */

struct keyed_node {
	struct heap_node node;
	lua_Integer key;
};

struct spec_heap {
	struct heap heap;
	struct keyed_node nodes[NODES];
};

static int comes_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct keyed_node *one = container_of(a, struct keyed_node, node);
	const struct keyed_node *two = container_of(b, struct keyed_node, node);

	return one->key != two->key ? one->key < two->key : one < two;
}

static int new_heap(lua_State *L)
{
	struct spec_heap *s = lua_newuserdatauv(L, sizeof *s, 0);

	memset(s, 0, sizeof *s);
	s->heap.before = comes_before;
	luaL_setmetatable(L, HEAP);
	return 1;
}

static int heap_put(lua_State *L)
{
	struct spec_heap *s = luaL_checkudata(L, 1, HEAP);
	struct keyed_node *node = &s->nodes[check_id(L) - 1];

	node->key = luaL_checkinteger(L, 3);
	heap_insert(&s->heap, &node->node);
	return 0;
}

static int heap_take(lua_State *L)
{
	struct spec_heap *s = luaL_checkudata(L, 1, HEAP);

	heap_remove(&s->heap, &s->nodes[check_id(L) - 1].node);
	return 0;
}

static int heap_first(lua_State *L)
{
	struct spec_heap *s = luaL_checkudata(L, 1, HEAP);

	if (!s->heap.root)
		return 0;
	lua_pushinteger(L, container_of(s->heap.root, struct keyed_node, node) -
				   s->nodes + 1);
	return 1;
}

/* ---- a loop and its timers ----------------------------------------------- */

struct spec_timer {
	struct loop_timer timer;
	struct spec_loop *owner;
};

struct spec_loop {
	struct loop loop;
	struct spec_timer timers[NODES];
	int open;
	lua_State *L; /* the one that calls */
	int handler;  /* reference */
	int failed;   /* the handler; its error is on the stack of L */
};

static struct spec_loop *get_loop(lua_State *L)
{
	struct spec_loop *s = luaL_checkudata(L, 1, LOOP);

	luaL_argcheck(L, s->open, 1, "closed");
	s->L = L;
	return s;
}

static void on_timer(struct loop_timer *timer)
{
	struct spec_timer *one = container_of(timer, struct spec_timer, timer);
	struct spec_loop *s = one->owner;

	lua_rawgeti(s->L, LUA_REGISTRYINDEX, s->handler);
	lua_pushinteger(s->L, one - s->timers + 1);
	if (lua_pcall(s->L, 1, 0, 0) == LUA_OK)
		return;
	if (s->failed)
		lua_pop(s->L, 1); /* the first one is raised */
	s->failed = 1;
}

static int new_loop(lua_State *L)
{
	struct spec_loop *s;
	int i, code;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	s = lua_newuserdatauv(L, sizeof *s, 0);
	memset(s, 0, sizeof *s);
	luaL_setmetatable(L, LOOP);
	lua_pushvalue(L, 1);
	s->handler = luaL_ref(L, LUA_REGISTRYINDEX);
	for (i = 0; i < NODES; i++)
		s->timers[i].owner = s;
	code = loop_init(&s->loop);
	if (code)
		return push_int(L, code);
	s->open = 1;
	return 1;
}

static int loop_start(lua_State *L)
{
	struct spec_loop *s = get_loop(L);

	loop_timer_start(&s->loop, &s->timers[check_id(L) - 1].timer,
			 luaL_checkinteger(L, 3), on_timer);
	return 0;
}

static int loop_stop(lua_State *L)
{
	struct spec_loop *s = get_loop(L);

	loop_timer_stop(&s->timers[check_id(L) - 1].timer);
	return 0;
}

static int turn(lua_State *L)
{
	struct spec_loop *s = get_loop(L);
	int n = loop_turn(&s->loop, (int)luaL_checkinteger(L, 2));

	if (s->failed) {
		s->failed = 0;
		return lua_error(L);
	}
	return push_int(L, n);
}

static int close_loop(lua_State *L)
{
	struct spec_loop *s = luaL_checkudata(L, 1, LOOP);

	if (s->open)
		loop_free(&s->loop);
	s->open = 0;
	return 0;
}

/* ---- text ---------------------------------------------------------------- */

static int append_tail(lua_State *L)
{
	size_t used, len;
	const char *tail = luaL_checklstring(L, 1, &used);
	size_t size = (size_t)luaL_checkinteger(L, 2);
	const char *data = luaL_checklstring(L, 3, &len);
	char buf[256];

	luaL_argcheck(L, size <= sizeof buf && used <= size, 2, "size");
	memcpy(buf, tail, used);
	used = text_append_tail(buf, used, size, data, len);
	lua_pushlstring(L, buf, used);
	return 1;
}

static int clean(lua_State *L)
{
	char buf[4096];

	luaL_argcheck(L, strlen(luaL_checkstring(L, 1)) < sizeof buf, 1,
		      "too long");
	strcpy(buf, luaL_checkstring(L, 1));
	text_clean(buf);
	lua_pushstring(L, buf);
	return 1;
}

/* ---- unix sockets -------------------------------------------------------- */

static int do_connect(lua_State *L)
{
	return push_int(L, unix_socket_connect(luaL_checkstring(L, 1),
					       (int)luaL_checkinteger(L, 2)));
}

static int do_listen(lua_State *L)
{
	return push_int(L, unix_socket_listen(AT_FDCWD, luaL_checkstring(L, 1),
					      (mode_t)luaL_checkinteger(L, 2),
					      (int)luaL_checkinteger(L, 3)));
}

static int claim(lua_State *L)
{
	return push_int(L, unix_socket_claim(luaL_checkstring(L, 1)));
}

static int pair(lua_State *L)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return push_int(L, -errno);
	lua_pushinteger(L, sv[0]);
	lua_pushinteger(L, sv[1]);
	return 2;
}

static int do_send(lua_State *L)
{
	int fds[UNIX_SOCKET_MAX_FDS], i, n = (int)luaL_len(L, 3);
	size_t len;
	const char *bytes = luaL_checklstring(L, 2, &len);

	luaL_argcheck(L, n <= UNIX_SOCKET_MAX_FDS, 3, "too many");
	for (i = 0; i < n; i++) {
		lua_rawgeti(L, 3, i + 1);
		fds[i] = (int)luaL_checkinteger(L, -1);
		lua_pop(L, 1);
	}
	return push_int(L, unix_socket_send((int)luaL_checkinteger(L, 1), bytes,
					    len, fds, n));
}

static int do_receive(lua_State *L)
{
	struct unix_socket_fds got;
	char bytes[4096];
	size_t size = (size_t)luaL_checkinteger(L, 2);
	ssize_t n;
	int i;

	luaL_argcheck(L, size <= sizeof bytes, 2, "too many");
	n = unix_socket_receive((int)luaL_checkinteger(L, 1), bytes, size,
				&got);
	if (n < 0)
		return push_int(L, n);
	lua_pushlstring(L, bytes, (size_t)n);
	lua_newtable(L);
	for (i = 0; i < got.n; i++) {
		lua_pushinteger(L, got.fd[i]);
		lua_rawseti(L, -2, i + 1);
	}
	lua_pushboolean(L, got.lost);
	return 3;
}

static const luaL_Reg heap_methods[] = {
	{ "insert", heap_put },
	{ "remove", heap_take },
	{ "first", heap_first },
	{ NULL, NULL },
};

static const luaL_Reg loop_methods[] = {
	{ "start", loop_start }, { "stop", loop_stop },	 { "turn", turn },
	{ "close", close_loop }, { "__gc", close_loop }, { NULL, NULL },
};

static const luaL_Reg functions[] = {
	{ "heap", new_heap },
	{ "loop", new_loop },
	{ "append_tail", append_tail },
	{ "clean", clean },
	{ "connect", do_connect },
	{ "listen", do_listen },
	{ "claim", claim },
	{ "pair", pair },
	{ "send", do_send },
	{ "receive", do_receive },
	{ NULL, NULL },
};

static void new_type(lua_State *L, const char *name, const luaL_Reg *methods)
{
	luaL_newmetatable(L, name);
	luaL_setfuncs(L, methods, 0);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
}

__attribute__((visibility("default"))) int
luaopen_gridcentric_spec_base(lua_State *L);

int luaopen_gridcentric_spec_base(lua_State *L)
{
	new_type(L, HEAP, heap_methods);
	new_type(L, LOOP, loop_methods);
	luaL_newlib(L, functions);
	return 1;
}
