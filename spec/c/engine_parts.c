/*
 * gridcentric.engine_parts - the parts of the engine one by one, for specs
 *
 *	parts = engine_parts.new(function(what, id, ...) end)
 *	parts:fd()				-- to be polled
 *	parts:turn(timeout_ms)			-- -> number of handlers run
 *	parts:limit_descriptors(on)		-- on: no new ones
 *	parts:close()				-- also by the collector
 *	parts:state(create)			-- -> folder
 *
 *	parts:addresses()			-- -> number of the block
 *	parts:lease{ { family =, type =, port =, backlog = }, ... }
 *						-- -> id, ip, { fd, ... }
 *	parts:retire(id), parts:age(ms)		-- age: retired so much earlier
 *	parts:master(port)			-- -> fd that listens everywhere
 *	parts:clone_socket(fd)			-- -> the clone's copy
 *	parts:spoil(fd, "blocking" or "shutdown")
 *
 *	parts:scheduler(engine)
 *	parts:request{ maxcpus =, minvms =, mincpuspervm =, timeout_ms =,
 *		memory = }			-- -> id
 *		later: "granted", id, vms, cpus, number of placements, host
 *		or: "denied", id, text, code
 *	parts:cancel(id), parts:release(id, vms)
 *	parts:started(id, placement)
 *	parts:capacity()			-- -> total, free
 *	parts:hold_capacity(), parts:drop_capacity()	-- capacity.lock
 *
 *	parts:hooks()				-- reads the environment
 *	parts:hook_exists(name)
 *	parts:hook(name, vmid, ticket, address)	-- -> id
 *		later: "hook", id, text, code, output; text nil: it went well
 *	parts:cancel_hook(id)
 *
 *	parts:ledger(engine), parts:close_ledger()
 *	parts:ticket(uuid, status, cpus, vms, mincpuspervm, owner)
 *	parts:domain(vmid, pid, state, host, endpoints, ticket, status)
 *	parts:event(what, vmid, text, json)
 *	parts:print(table, name, limit, after, decision), parts:bury()
 *	parts:hold_ledger(), parts:drop_ledger()	-- for writing
 *
 * What fails returns nil, text, name. An error in the handler is raised by
 * turn().
 */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/hooks.h"
#include "base/loop.h"
#include "engine/core/scheduler.h"
#include "engine/host/address.h"
#include "engine/schedule/capacity.h"
#include "engine/state/ledger.h"
#include "engine/state/ledger_db.h"

#define TYPE "gridcentric.engine_parts"
#define MAX  1024 /* leases and hooks each */

struct numbered_request {
	struct schedule_request request;
	int id;
};

struct parts {
	struct loop loop;
	struct state state;
	struct addresses addresses;
	struct scheduler scheduler;
	struct hooks hooks;
	struct ledger *ledger;
	sqlite3 *holder; /* has a transaction open; NULL: none */
	struct lease *leases[MAX];
	struct numbered_request **requests; /* by id */
	struct hook_run *runs[MAX];
	int nleases, nrequests, nruns;
	int has_addresses, has_scheduler, open;
	int capacity_lock; /* held, -1: not */
	lua_State *L;	   /* the one that calls */
	int handler;	   /* reference */
	int failed;	   /* the handler; its error is on the stack of L */
};

static struct parts *get(lua_State *L)
{
	struct parts *p = luaL_checkudata(L, 1, TYPE);

	luaL_argcheck(L, p->open, 1, "closed");
	p->L = L;
	return p;
}

/* nil, text, name */
static int push_error(lua_State *L, const struct err *err)
{
	lua_pushnil(L);
	lua_pushstring(L, err->text);
	lua_pushstring(L, err_name(err->code));
	return 3;
}

static int push_result(lua_State *L, int code, const struct err *err)
{
	if (code < 0)
		return push_error(L, err);
	lua_pushboolean(L, 1);
	return 1;
}

static int index_of(lua_State *L, int n)
{
	lua_Integer id = luaL_checkinteger(L, 2);

	luaL_argcheck(L, id >= 0 && id < n, 2, "no such id");
	return (int)id;
}

static int room_for(lua_State *L, int n)
{
	if (n == MAX)
		luaL_error(L, "more than %d", MAX);
	return n;
}

static lua_Integer field(lua_State *L, int table, const char *name)
{
	lua_Integer value;

	lua_getfield(L, table, name);
	value = luaL_optinteger(L, -1, 0);
	lua_pop(L, 1);
	return value;
}

/* Calls the handler with what and id; the caller has pushed n more values
 * after begin_event(). */
static void begin_event(struct parts *p, const char *what, int id)
{
	luaL_checkstack(p->L, 20, NULL);
	lua_rawgeti(p->L, LUA_REGISTRYINDEX, p->handler);
	lua_pushstring(p->L, what);
	lua_pushinteger(p->L, id);
}

static void end_event(struct parts *p, int n)
{
	if (lua_pcall(p->L, n + 2, 0, 0) == LUA_OK)
		return;
	if (p->failed)
		lua_pop(p->L, 1); /* the first one is told */
	p->failed = 1;
}

/* ---- the loop and the folder -------------------------------------------- */

static int new_parts(lua_State *L)
{
	struct parts *p;
	int err;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	p = lua_newuserdatauv(L, sizeof *p, 0);
	memset(p, 0, sizeof *p);
	luaL_setmetatable(L, TYPE);
	err = loop_init(&p->loop);
	if (err)
		return luaL_error(L, "%s", err_text(err));
	p->open = 1;
	p->state.dirfd = p->capacity_lock = -1;
	lua_pushvalue(L, 1);
	p->handler = luaL_ref(L, LUA_REGISTRYINDEX);
	return 1;
}

static int close_parts(lua_State *L)
{
	struct parts *p = luaL_checkudata(L, 1, TYPE);
	int i;

	if (!p->open)
		return 0;
	p->open = 0;
	sqlite3_close(p->holder);
	ledger_close(p->ledger);
	if (p->has_scheduler)
		p->scheduler.ops->close(&p->scheduler);
	if (p->has_addresses)
		addresses_close(&p->addresses);
	if (p->capacity_lock >= 0)
		close(p->capacity_lock);
	loop_free(&p->loop);
	state_close(&p->state);
	for (i = 0; i < p->nrequests; i++)
		free(p->requests[i]);
	free(p->requests);
	luaL_unref(L, LUA_REGISTRYINDEX, p->handler);
	return 0;
}

static int get_fd(lua_State *L)
{
	lua_pushinteger(L, get(L)->loop.epfd);
	return 1;
}

static int turn(lua_State *L)
{
	struct parts *p = get(L);
	int n = loop_turn(&p->loop, (int)luaL_optinteger(L, 2, 0));

	if (p->failed) {
		p->failed = 0;
		return lua_error(L);
	}
	if (n < 0)
		return luaL_error(L, "%s", err_text(n));
	lua_pushinteger(L, n);
	return 1;
}

static int limit_descriptors(lua_State *L)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return luaL_error(L, "%s", strerror(errno));
	limit.rlim_cur = lua_toboolean(L, 2) ? 0 : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	return 0;
}

static int open_state(lua_State *L)
{
	struct parts *p = get(L);
	struct err err;

	if (state_open(&p->state, lua_toboolean(L, 2), &err))
		return push_error(L, &err);
	lua_pushstring(L, p->state.dir);
	return 1;
}

/* ---- addresses ---------------------------------------------------------- */

static int open_addresses(lua_State *L)
{
	struct parts *p = get(L);
	struct err err;

	if (addresses_open(&p->addresses, &p->loop, &err))
		return push_error(L, &err);
	p->has_addresses = 1;
	lua_pushinteger(L, p->addresses.block);
	return 1;
}

/* Fills wanted from the table at index 2. Returns their number. */
static int read_listeners(lua_State *L, struct listener *wanted, int max)
{
	int i, n = (int)luaL_len(L, 2);

	luaL_argcheck(L, n <= max, 2, "too long");
	for (i = 0; i < n; i++) {
		lua_geti(L, 2, i + 1);
		wanted[i].family = (int)field(L, -1, "family");
		wanted[i].type = (int)field(L, -1, "type");
		wanted[i].port = (int)field(L, -1, "port");
		wanted[i].backlog = (int)field(L, -1, "backlog");
		lua_pop(L, 1);
	}
	return n;
}

static int lease(lua_State *L)
{
	struct parts *p = get(L);
	struct listener wanted[MAX_LISTENERS + 1];
	int id = room_for(L, p->nleases), i, n;
	struct lease *l;
	struct err err;

	n = read_listeners(L, wanted, MAX_LISTENERS + 1);
	l = address_lease(&p->addresses, wanted, n, &err);
	if (!l)
		return push_error(L, &err);
	p->leases[p->nleases++] = l;
	lua_pushinteger(L, id);
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
	struct parts *p = get(L);

	address_retire(p->leases[index_of(L, p->nleases)]);
	return 0;
}

static int age(lua_State *L)
{
	struct parts *p = get(L);
	struct address *address;

	TAILQ_FOREACH(address, &p->addresses.retired, retired_link)
		address->retired_ms -= luaL_checkinteger(L, 2);
	return 0;
}

/* A listener on the wildcard address, as a master has it. */
static int master(lua_State *L)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)luaL_checkinteger(L, 2)),
	};
	static const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0 ||
	    bind(fd, (struct sockaddr *)&in, sizeof in) < 0 ||
	    listen(fd, 16) < 0)
		return luaL_error(L, "%s", strerror(errno));
	lua_pushinteger(L, fd);
	return 1;
}

static int clone_socket(lua_State *L)
{
	int fd = fcntl((int)luaL_checkinteger(L, 2), F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return luaL_error(L, "%s", strerror(errno));
	lua_pushinteger(L, fd);
	return 1;
}

static int spoil(lua_State *L)
{
	static const char *const ways[] = { "blocking", "shutdown", NULL };
	int fd = (int)luaL_checkinteger(L, 2);

	if (luaL_checkoption(L, 3, NULL, ways) == 0)
		fcntl(fd, F_SETFL, 0);
	else
		shutdown(fd, SHUT_RDWR);
	return 0;
}

/* ---- scheduler ---------------------------------------------------------- */

static int id_of(struct schedule_request *r)
{
	return container_of(r, struct numbered_request, request)->id;
}

/* A zeroed one with the next id. */
static struct schedule_request *add_request(struct parts *p)
{
	struct numbered_request **all, *r;

	all = realloc(p->requests, ((size_t)p->nrequests + 1) * sizeof *all);
	r = calloc(1, sizeof *r);
	if (!all || !r)
		luaL_error(p->L, "no memory");
	p->requests = all;
	r->id = p->nrequests++;
	p->requests[r->id] = r;
	return &r->request;
}

static void on_granted(struct scheduler *s, struct schedule_request *r,
		       const struct placement *placements, int n)
{
	struct parts *p = s->owner;

	begin_event(p, "granted", id_of(r));
	lua_pushinteger(p->L, r->vms);
	lua_pushinteger(p->L, r->cpus);
	lua_pushinteger(p->L, n);
	lua_pushstring(p->L, placements[n - 1].host);
	end_event(p, 4);
}

static void on_denied(struct scheduler *s, struct schedule_request *r,
		      struct err *err)
{
	struct parts *p = s->owner;

	begin_event(p, "denied", id_of(r));
	lua_pushstring(p->L, err->text);
	lua_pushstring(p->L, err_name(err->code));
	end_event(p, 2);
}

static int open_scheduler(lua_State *L)
{
	struct parts *p = get(L);
	struct err err;
	int code;

	p->scheduler.ops = &scheduler_local;
	p->scheduler.loop = &p->loop;
	p->scheduler.owner = p;
	p->scheduler.granted = on_granted;
	p->scheduler.denied = on_denied;
	code = p->scheduler.ops->open(&p->scheduler, &p->state,
				      luaL_checkstring(L, 2), &err);
	p->has_scheduler = !code;
	return push_result(L, code, &err);
}

static int request(lua_State *L)
{
	struct parts *p = get(L);
	struct schedule_request *r;
	struct err err;

	luaL_checktype(L, 2, LUA_TTABLE);
	r = add_request(p);
	r->maxcpus = (int)field(L, 2, "maxcpus");
	r->minvms = (int)field(L, 2, "minvms");
	r->mincpuspervm = (int)field(L, 2, "mincpuspervm");
	r->timeout_ms = (int)field(L, 2, "timeout_ms");
	r->memory = field(L, 2, "memory");
	if (p->scheduler.ops->request(&p->scheduler, r, &err))
		return push_error(L, &err);
	lua_pushinteger(L, id_of(r));
	return 1;
}

static int cancel(lua_State *L)
{
	struct parts *p = get(L);

	p->scheduler.ops->cancel(
		&p->scheduler,
		&p->requests[index_of(L, p->nrequests)]->request);
	return 0;
}

static int release(lua_State *L)
{
	struct parts *p = get(L);
	struct schedule_request *r =
		&p->requests[index_of(L, p->nrequests)]->request;
	lua_Integer vms = luaL_checkinteger(L, 3);

	luaL_argcheck(L, vms >= 0 && vms <= r->vms, 3, "it has less");
	while (vms-- > 0) /* from the last one on */
		p->scheduler.ops->release(&p->scheduler, r, r->vms - 1);
	return 0;
}

static int started(lua_State *L)
{
	struct parts *p = get(L);
	struct schedule_request *r =
		&p->requests[index_of(L, p->nrequests)]->request;
	lua_Integer placement = luaL_checkinteger(L, 3);

	luaL_argcheck(L, placement >= 0 && placement < r->vms, 3, "none left");
	p->scheduler.ops->started(&p->scheduler, r, (int)placement);
	return 0;
}

static int capacity(lua_State *L)
{
	struct parts *p = get(L);
	int total, left;

	p->scheduler.ops->capacity(&p->scheduler, &total, &left);
	lua_pushinteger(L, total);
	lua_pushinteger(L, left);
	return 2;
}

static int hold_capacity(lua_State *L)
{
	struct parts *p = get(L);
	int err;

	p->capacity_lock = openat(p->state.dirfd, CAPACITY_LOCK,
				  O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (p->capacity_lock < 0)
		return luaL_error(L, "%s", strerror(errno));
	err = record_lock(p->capacity_lock, F_WRLCK);
	if (err)
		return luaL_error(L, "%s", err_text(err));
	return 0;
}

static int drop_capacity(lua_State *L)
{
	struct parts *p = get(L);

	if (p->capacity_lock >= 0)
		close(p->capacity_lock);
	p->capacity_lock = -1;
	return 0;
}

/* ---- hooks -------------------------------------------------------------- */

static int open_hooks(lua_State *L)
{
	struct parts *p = get(L);

	hooks_init(&p->hooks, &p->loop);
	lua_pushinteger(L, p->hooks.timeout_ms);
	return 1;
}

static int exists(lua_State *L)
{
	struct parts *p = get(L);

	lua_pushboolean(L, hook_exists(&p->hooks, luaL_checkstring(L, 2)));
	return 1;
}

static void on_hook(struct hook_run *run, struct err *err)
{
	struct parts *p = run->owner;
	int i;

	for (i = 0; i < p->nruns && p->runs[i] != run; i++)
		;
	p->runs[i] = NULL;
	begin_event(p, "hook", i);
	lua_pushstring(p->L, err->code ? err->text : NULL);
	lua_pushstring(p->L, err->code ? err_name(err->code) : NULL);
	lua_pushstring(p->L, run->text);
	end_event(p, 3);
}

static int run_hook(lua_State *L)
{
	static const char *const names[] = { "pre-clone", "post-clone", NULL };
	struct parts *p = get(L);
	int id = room_for(L, p->nruns);
	struct hook_run *run;
	struct err err;

	run = hook_start(&p->hooks, names[luaL_checkoption(L, 2, NULL, names)],
			 (int)luaL_optinteger(L, 3, 1),
			 luaL_optstring(L, 4, ""), luaL_optstring(L, 5, ""),
			 on_hook, p, &err);
	if (!run)
		return push_error(L, &err);
	p->runs[p->nruns++] = run;
	lua_pushinteger(L, id);
	return 1;
}

static int cancel_hook(lua_State *L)
{
	struct parts *p = get(L);
	int id = index_of(L, p->nruns);

	if (p->runs[id])
		hook_cancel(p->runs[id]);
	p->runs[id] = NULL;
	return 0;
}

/* ---- ledger ------------------------------------------------------------- */

static int open_ledger(lua_State *L)
{
	struct parts *p = get(L);

	p->ledger = ledger_open(&p->state, luaL_checkstring(L, 2));
	return 0;
}

static int close_ledger(lua_State *L)
{
	struct parts *p = get(L);

	ledger_close(p->ledger);
	p->ledger = NULL;
	return 0;
}

static int ticket(lua_State *L)
{
	ledger_ticket(
		get(L)->ledger, luaL_checkstring(L, 2), luaL_checkstring(L, 3),
		(int)luaL_checkinteger(L, 4), (int)luaL_checkinteger(L, 5),
		(int)luaL_checkinteger(L, 6), (int)luaL_checkinteger(L, 7));
	return 0;
}

static int domain(lua_State *L)
{
	ledger_domain(get(L)->ledger, (int)luaL_checkinteger(L, 2),
		      (int)luaL_checkinteger(L, 3), luaL_checkstring(L, 4),
		      luaL_checkstring(L, 5), luaL_checkstring(L, 6),
		      luaL_checkstring(L, 7), (int)luaL_checkinteger(L, 8));
	return 0;
}

static int event(lua_State *L)
{
	ledger_event(get(L)->ledger, luaL_checkstring(L, 2),
		     (int)luaL_checkinteger(L, 3), luaL_checkstring(L, 4),
		     luaL_optstring(L, 5, ""));
	return 0;
}

static int print(lua_State *L)
{
	struct parts *p = get(L);
	struct ledger_filter filter = {
		.name = luaL_optstring(L, 3, NULL),
		.limit = (int)luaL_optinteger(L, 4, 0),
		.after = luaL_optinteger(L, 5, 0),
		.decision = luaL_optinteger(L, 6, -1),
	};
	struct err err;
	int code;

	code = ledger_print(&p->state, luaL_checkstring(L, 2), &filter, &err);
	return push_result(L, code, &err);
}

static int bury(lua_State *L)
{
	struct err err;

	return push_result(L, ledger_bury(&get(L)->state, &err), &err);
}

static int hold_ledger(lua_State *L)
{
	struct parts *p = get(L);
	struct err err;

	if (ledger_db_open(&p->state, 1, 1000, &p->holder, &err) ||
	    ledger_db_run(p->holder, &p->state, "BEGIN IMMEDIATE", &err))
		return luaL_error(L, "%s", err.text);
	return 0;
}

static int drop_ledger(lua_State *L)
{
	struct parts *p = get(L);

	sqlite3_close(p->holder);
	p->holder = NULL;
	return 0;
}

static const luaL_Reg methods[] = {
	{ "close", close_parts },
	{ "fd", get_fd },
	{ "turn", turn },
	{ "limit_descriptors", limit_descriptors },
	{ "state", open_state },
	{ "addresses", open_addresses },
	{ "lease", lease },
	{ "retire", retire },
	{ "age", age },
	{ "master", master },
	{ "clone_socket", clone_socket },
	{ "spoil", spoil },
	{ "scheduler", open_scheduler },
	{ "request", request },
	{ "cancel", cancel },
	{ "release", release },
	{ "started", started },
	{ "capacity", capacity },
	{ "hold_capacity", hold_capacity },
	{ "drop_capacity", drop_capacity },
	{ "hooks", open_hooks },
	{ "hook_exists", exists },
	{ "hook", run_hook },
	{ "cancel_hook", cancel_hook },
	{ "ledger", open_ledger },
	{ "close_ledger", close_ledger },
	{ "ticket", ticket },
	{ "domain", domain },
	{ "event", event },
	{ "print", print },
	{ "bury", bury },
	{ "hold_ledger", hold_ledger },
	{ "drop_ledger", drop_ledger },
	{ "__gc", close_parts },
	{ NULL, NULL },
};

__attribute__((visibility("default"))) int
luaopen_gridcentric_engine_parts(lua_State *L);

int luaopen_gridcentric_engine_parts(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "new", new_parts },
		{ NULL, NULL },
	};

	luaL_newmetatable(L, TYPE);
	luaL_setfuncs(L, methods, 0);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	luaL_newlib(L, functions);
	return 1;
}
