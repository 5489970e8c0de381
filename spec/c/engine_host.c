/*
 * gridcentric.engine_host - an implementation of core/host.h, for its contract spec
 *
 *	host = engine_host.open("local", function(what, pid, status) end)
 *						-- called with "exited"
 *	host:fd(), host:turn(timeout_ms)	-- the loop
 *	host:name(), host:number()
 *	host:lease{ { family =, type =, port =, backlog = }, ... }
 *						-- -> id, ip, { fd, ... }
 *	host:retire(id), host:relieve()		-- relieve -> number
 *	host:lifeline(), host:cut_lifelines()	-- lifeline -> fd
 *	host:start(file, argument ...)		-- -> pid
 *	host:watch(pid)
 *	host:parent_of(pid), host:kill(pid, signal), host:forget(pid)
 *	host:close()				-- also by the collector
 *
 * What fails returns nil, text, name. An error in the function is raised by
 * turn().
 */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "engine/core/host.h"

#define TYPE "gridcentric.engine_host"
#define MAX  64 /* leases and processes each */

struct spec_host {
	struct loop loop;
	struct host host;
	struct host_list hosts;
	struct lease *leases[MAX];
	struct spec_process {
		struct host_process process;
		struct spec_host *owner;
		int pid; /* that it was watched by */
	} processes[MAX];
	int nleases, nprocesses;
	lua_State *L; /* the one that calls */
	int handler;  /* reference */
	int failed;   /* the handler; its error is on the stack of L */
};

static struct spec_host *get(lua_State *L)
{
	struct spec_host *h = luaL_checkudata(L, 1, TYPE);

	luaL_argcheck(L, h->host.ops, 1, "closed");
	h->L = L;
	return h;
}

static int push_error(lua_State *L, int code, const char *text)
{
	lua_pushnil(L);
	lua_pushstring(L, text);
	lua_pushstring(L, err_name(code));
	return 3;
}

static int push_code(lua_State *L, int code)
{
	if (code < 0)
		return push_error(L, code, err_text(code));
	lua_pushinteger(L, code);
	return 1;
}

/* ---- the host ------------------------------------------------------------ */

static int open_host(lua_State *L)
{
	static const char *const names[] = { "local", NULL };
	static const struct host_ops *const ops[] = { &host_local };
	int which = luaL_checkoption(L, 1, NULL, names), code;
	struct spec_host *h;
	struct err err;

	luaL_checktype(L, 2, LUA_TFUNCTION);
	h = lua_newuserdatauv(L, sizeof *h, 0);
	memset(h, 0, sizeof *h);
	LIST_INIT(&h->hosts);
	luaL_setmetatable(L, TYPE);
	code = loop_init(&h->loop);
	if (code)
		return luaL_error(L, "%s", err_text(code));
	if (host_open(&h->host, &h->hosts, ops[which], names[which], &h->loop,
		      &err)) {
		loop_free(&h->loop);
		return push_error(L, err.code, err.text);
	}
	lua_pushvalue(L, 2);
	h->handler = luaL_ref(L, LUA_REGISTRYINDEX);
	return 1;
}

static int close_host(lua_State *L)
{
	struct spec_host *h = luaL_checkudata(L, 1, TYPE);

	if (!h->host.ops)
		return 0;
	host_close(&h->host);
	loop_free(&h->loop);
	luaL_unref(L, LUA_REGISTRYINDEX, h->handler);
	return 0;
}

static int get_fd(lua_State *L)
{
	lua_pushinteger(L, get(L)->loop.epfd);
	return 1;
}

static int turn(lua_State *L)
{
	struct spec_host *h = get(L);
	int n = loop_turn(&h->loop, (int)luaL_optinteger(L, 2, 0));

	h->host.ops->check(&h->host);
	if (h->failed) {
		h->failed = 0;
		return lua_error(L);
	}
	return push_code(L, n);
}

static int get_name(lua_State *L)
{
	lua_pushstring(L, get(L)->host.name);
	return 1;
}

static int get_number(lua_State *L)
{
	lua_pushinteger(L, get(L)->host.number);
	return 1;
}

/* ---- addresses ----------------------------------------------------------- */

static int field(lua_State *L, const char *name)
{
	int value;

	lua_getfield(L, -1, name);
	value = (int)luaL_optinteger(L, -1, 0);
	lua_pop(L, 1);
	return value;
}

static int lease(lua_State *L)
{
	struct spec_host *h = get(L);
	struct listener wanted[MAX_LISTENERS];
	int i, n = (int)luaL_len(L, 2);
	struct lease *l;
	struct err err;

	luaL_argcheck(L, n <= MAX_LISTENERS, 2, "too long");
	if (h->nleases == MAX)
		return luaL_error(L, "more than %d leases", MAX);
	for (i = 0; i < n; i++) {
		lua_geti(L, 2, i + 1);
		wanted[i].family = field(L, "family");
		wanted[i].type = field(L, "type");
		wanted[i].port = field(L, "port");
		wanted[i].backlog = field(L, "backlog");
		lua_pop(L, 1);
	}
	l = h->host.ops->lease(&h->host, wanted, n, &err);
	if (!l)
		return push_error(L, err.code, err.text);
	h->leases[h->nleases] = l;
	lua_pushinteger(L, h->nleases++);
	lua_pushstring(L, l->ip);
	lua_createtable(L, l->nsockets, 0);
	for (i = 0; i < l->nsockets; i++) {
		lua_pushinteger(L, l->sockets[i].fd);
		lua_seti(L, -2, i + 1);
	}
	return 3;
}

static int retire(lua_State *L)
{
	struct spec_host *h = get(L);
	lua_Integer id = luaL_checkinteger(L, 2);

	luaL_argcheck(L, id >= 0 && id < h->nleases && h->leases[id], 2,
		      "no such lease");
	h->host.ops->retire(h->leases[id]);
	h->leases[id] = NULL;
	return 0;
}

static int relieve(lua_State *L)
{
	struct spec_host *h = get(L);

	return push_code(L, h->host.ops->relieve(&h->host));
}

static int lifeline(lua_State *L)
{
	struct spec_host *h = get(L);

	return push_code(L, h->host.ops->open_lifeline(&h->host));
}

static int cut_lifelines(lua_State *L)
{
	struct spec_host *h = get(L);

	h->host.ops->cut_lifelines(&h->host);
	return 0;
}

/* ---- processes ----------------------------------------------------------- */

static void on_exited(struct host_process *process)
{
	struct spec_process *p =
		container_of(process, struct spec_process, process);
	struct spec_host *h = p->owner;

	luaL_checkstack(h->L, 8, NULL);
	lua_rawgeti(h->L, LUA_REGISTRYINDEX, h->handler);
	lua_pushstring(h->L, "exited");
	lua_pushinteger(h->L, p->pid);
	lua_pushinteger(h->L, process->status);
	if (lua_pcall(h->L, 3, 0, 0) == LUA_OK)
		return;
	if (h->failed)
		lua_pop(h->L, 1); /* the first one is raised */
	h->failed = 1;
}

static struct spec_process *new_process(struct spec_host *h)
{
	struct spec_process *p;

	if (h->nprocesses == MAX)
		luaL_error(h->L, "more than %d processes", MAX);
	p = &h->processes[h->nprocesses++];
	p->owner = h;
	p->process.exited = on_exited;
	return p;
}

/* The one that is watched under this number. */
static struct spec_process *find_process(struct spec_host *h)
{
	lua_Integer pid = luaL_checkinteger(h->L, 2);
	int i;

	for (i = 0; i < h->nprocesses; i++)
		if (h->processes[i].process.host && h->processes[i].pid == pid)
			return &h->processes[i];
	luaL_argerror(h->L, 2, "not watched");
	return NULL;
}

static int start(lua_State *L)
{
	struct spec_host *h = get(L);
	struct spec_process *p = new_process(h);
	const char *argv[16] = { NULL };
	struct process_spec spec = { .argv = (char *const *)argv };
	int i, n = lua_gettop(L) - 1, code;

	luaL_argcheck(L, n >= 1 && n < 16, 2, "1 to 15 words");
	for (i = 0; i < n; i++)
		argv[i] = luaL_checkstring(L, i + 2);
	spec.file = argv[0];
	code = h->host.ops->start(&h->host, &p->process, &spec);
	p->pid = code ? 0 : p->process.pid;
	return push_code(L, code ? code : p->pid);
}

static int watch(lua_State *L)
{
	struct spec_host *h = get(L);
	struct spec_process *p = new_process(h);
	int pid = (int)luaL_checkinteger(L, 2);
	int code = h->host.ops->watch(&h->host, &p->process, pid);

	p->pid = code ? 0 : pid;
	return push_code(L, code);
}

static int parent_of(lua_State *L)
{
	struct spec_host *h = get(L);

	return push_code(
		L, h->host.ops->parent_of(&h->host, &find_process(h)->process));
}

static int kill_process(lua_State *L)
{
	struct spec_host *h = get(L);

	h->host.ops->kill(&find_process(h)->process,
			  (int)luaL_checkinteger(L, 3));
	return 0;
}

static int forget(lua_State *L)
{
	struct spec_host *h = get(L);

	h->host.ops->forget(&find_process(h)->process);
	return 0;
}

static const luaL_Reg methods[] = {
	{ "fd", get_fd },
	{ "turn", turn },
	{ "name", get_name },
	{ "number", get_number },
	{ "lease", lease },
	{ "retire", retire },
	{ "relieve", relieve },
	{ "lifeline", lifeline },
	{ "cut_lifelines", cut_lifelines },
	{ "start", start },
	{ "watch", watch },
	{ "parent_of", parent_of },
	{ "kill", kill_process },
	{ "forget", forget },
	{ "close", close_host },
	{ NULL, NULL },
};

int __attribute__((visibility("default")))
luaopen_gridcentric_engine_host(lua_State *L);

int luaopen_gridcentric_engine_host(lua_State *L)
{
	luaL_newmetatable(L, TYPE);
	luaL_newlib(L, methods);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, close_host);
	lua_setfield(L, -2, "__gc");
	lua_pop(L, 1);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, open_host);
	lua_setfield(L, -2, "open");
	return 1;
}
