/*
 * lua/core - the Lua module gridcentric.core: struct gc as an object
 *
 * Lua's share of the work is in lua/gridcentric/platform/async.lua, which
 * watches core:fd() and calls core:turn() and core:next(). No Lua reference is
 * stored here. A process is one domain, so it has one core.
 */
#include <assert.h>
#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/setting.h"
#include "gridcentric/gc-guest.h"
#include "guest/agent.h"
#include "guest/call.h"
#include "guest/guest.h"
#include "guest/op.h"
#include "lua/common.h"
#include "lua/event.h"
#include "lua/proxy.h"
#include "lua/session.h"
#include "lua/tools.h"
#include "repair/uv.h"

static const char *const roles[] = { "inside", "outside", "domain", NULL };

/* Outlives the Lua state: at_exit() needs it. */
static struct gc *the_core;

static void at_exit(void)
{
	assert(the_core);
	guest_end_all(the_core, setting_grace_ms());
}

/* core.open{ role =, name =, luv = path of luv's shared object } -> core */
static int core_open(lua_State *L)
{
	const char *name, *luv;
	struct err err = { 0 };
	struct repair_step *step;
	struct gc **box;
	int role;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	lua_getfield(L, 1, "role");
	role = luaL_checkoption(L, 2, "inside", roles);
	lua_getfield(L, 1, "name");
	name = luaL_optstring(L, 3, "program");
	lua_getfield(L, 1, "luv");
	luv = luaL_optstring(L, 4, NULL);
	if (the_core)
		return luaL_error(L, "the core is open already");
	box = lua_newuserdatauv(L, sizeof *box, 0);
	*box = calloc(1, sizeof **box);
	if (!*box)
		return luaL_error(L, "not enough memory");
	if (guest_open(*box, (enum wire_role)role, name, &err)) {
		free(*box);
		return lua_fail(L, &err);
	}
	luaL_setmetatable(L, LUA_CORE);
	the_core = *box;
	atexit(at_exit);
	if (luv) {
		step = repair_uv_open(luv, L);
		if (!step)
			return luaL_error(L, "not enough memory");
		guest_add_step(the_core, step);
	}
	return 1;
}

/* core:fd() -> descriptor that is readable when core:turn() has work */
static int core_fd(lua_State *L)
{
	lua_pushinteger(L, lua_check_core(L, 1)->loop.epfd);
	return 1;
}

/* Calls the function at index 2: nothing, or the reason for no clone. */
static int ask_program(void *arg, struct err *err)
{
	lua_State *L = arg;
	int failed, top = lua_gettop(L);

	if (!lua_checkstack(L, 4))
		return err_set(err, -ENOMEM, "before_clone");
	lua_pushvalue(L, 2);
	failed = lua_pcall(L, 0, 1, 0);
	if (failed || !lua_isnil(L, -1))
		err_say(err, -GC_EVETO, "before_clone: %s",
			luaL_tolstring(L, -1, NULL));
	lua_settop(L, top);
	return err->code;
}

/*
 * core:turn(before_clone) -> true, or nil, err, code. This process may be a new
 * clone afterwards. before_clone, which may be nil, is called right before a
 * clone is made; what it returns other than nil is the reason for making none.
 */
static int core_turn(lua_State *L)
{
	struct gc *gc = lua_check_core(L, 1);
	struct err err;
	int code;

	gc->before_clone = lua_isfunction(L, 2) ? ask_program : NULL;
	gc->before_clone_arg = L;
	code = guest_turn(gc, 0);
	gc->before_clone = NULL;
	if (code < 0) {
		err_set(&err, code, "event loop");
		return lua_fail(L, &err);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* core:next() -> nothing, or a completion: lua/event.c, lua/proxy.c */
static int core_next(lua_State *L)
{
	struct gc *gc = lua_check_core(L, 1);
	struct completion *completion = loop_next(&gc->loop);
	int n;

	if (!completion)
		return 0;
	if (completion->kind >= GUEST_KINDS)
		return lua_proxy_push_event(L, completion);
	n = lua_event_push(L, completion);
	guest_free(completion);
	return n;
}

static int core_vmid(lua_State *L)
{
	lua_pushinteger(L, lua_check_core(L, 1)->vmid);
	return 1;
}

/*
 * core:role() -> "inside", "outside" or "domain". A program in a VM that scales
 * itself is a domain to the agent, but "inside" to itself.
 */
static int core_role(lua_State *L)
{
	struct gc *gc = lua_check_core(L, 1);
	int is_master = gc->agent.may_watch && gc->vmid == 0;

	lua_pushstring(L, roles[is_master ? ROLE_INSIDE : gc->role]);
	return 1;
}

/* core:address() -> the clone's own address; nil in a master */
static int core_address(lua_State *L)
{
	struct gc *gc = lua_check_core(L, 1);

	if (!gc->address[0])
		return 0;
	lua_pushstring(L, gc->address);
	return 1;
}

/* core:ports() -> list of the TCP ports that this program listens on, or nil,
 * err, code */
static int core_ports(lua_State *L)
{
	struct gc *gc = lua_check_core(L, 1);
	struct repair_listener *found;
	struct err err = { 0 };
	int i, n = repair_listeners(&gc->loop, &found, &err);
	lua_Integer nports = 0;

	if (n < 0)
		return lua_fail(L, &err);
	lua_createtable(L, n, 0);
	for (i = 0; i < n; i++) {
		if (found[i].type != SOCK_STREAM)
			continue;
		lua_pushinteger(L, found[i].port);
		lua_rawseti(L, -2, ++nports);
	}
	free(found);
	return 1;
}

/* ---- operations: -> number, or nil, err, code -------------------------- */

/* Pushes what an operation returned when it began. */
static int push_begun(lua_State *L, int64_t op, const struct err *err)
{
	assert(op > 0 || err->code < 0);
	if (op < 0)
		return lua_fail(L, err);
	lua_pushinteger(L, op);
	return 1;
}

static int core_request_ticket(lua_State *L)
{
	struct gc *gc = lua_check_core(L, 1);
	int maxcpus = lua_check_int(L, 2), minvms = lua_check_int(L, 3);
	int mincpuspervm = lua_check_int(L, 4),
	    timeout_ms = lua_check_int(L, 5);
	struct err err = { 0 };

	return push_begun(L,
			  guest_request_ticket(gc, maxcpus, minvms,
					       mincpuspervm, timeout_ms, &err),
			  &err);
}

/* Begins an operation on the ticket that is argument 2. */
static int begin_on_ticket(lua_State *L,
			   int64_t (*call)(struct gc *, const char *,
					   struct err *))
{
	struct gc *gc = lua_check_core(L, 1);
	const char *ticket = luaL_checkstring(L, 2);
	struct err err = { 0 };

	return push_begun(L, call(gc, ticket, &err), &err);
}

static int core_ticket_info(lua_State *L)
{
	return begin_on_ticket(L, guest_ticket_info);
}

static int core_release_ticket(lua_State *L)
{
	return begin_on_ticket(L, guest_release_ticket);
}

static int core_clone(lua_State *L)
{
	return begin_on_ticket(L, guest_clone);
}

static int core_list_domains(lua_State *L)
{
	struct gc *gc = lua_check_core(L, 1);
	struct err err = { 0 };

	return push_begun(L, guest_list_domains(gc, &err), &err);
}

static int core_kill(lua_State *L)
{
	struct gc *gc = lua_check_core(L, 1);
	int vmid = lua_check_int(L, 2);
	struct err err = { 0 };

	return push_begun(L, guest_kill(gc, vmid, &err), &err);
}

/* core:start(port, dir, {program, argument, ...}): starts domain 0; owners
 * only */
static int core_start(lua_State *L)
{
	struct gc *gc = lua_check_core(L, 1);
	int port = lua_check_int(L, 2);
	const char *dir = luaL_checkstring(L, 3);
	struct err err = { 0 };
	const char **argv;
	int64_t op;
	int i, n;

	luaL_checktype(L, 4, LUA_TTABLE);
	n = (int)luaL_len(L, 4);
	luaL_argcheck(L, n > 0 && n <= 1000, 4, "a program and its arguments");
	argv = lua_newuserdatauv(L, (size_t)n * sizeof *argv, 0);
	luaL_checkstack(L, n, "arguments");
	for (i = 0; i < n; i++) {
		lua_rawgeti(L, 4, i + 1); /* stays there for argv */
		argv[i] = luaL_checkstring(L, -1);
	}
	op = guest_start(gc, port, dir, argv, n, &err);
	return push_begun(L, op, &err);
}

static int int_field(lua_State *L, int index, const char *key)
{
	lua_getfield(L, index, key);
	return lua_check_int(L, -1);
}

/* A text stays on the stack, so that its pointer stays valid. */
static const char *text_field(lua_State *L, int index, const char *key)
{
	lua_getfield(L, index, key);
	return luaL_checkstring(L, -1);
}

/* core:start_vm(port, {image = path, memory = MiB, cpus =, accel =, network =,
 * has_lan = whether it clones itself, spare = clones prepared ahead (0)}):
 * starts domain 0; owners only */
static int core_start_vm(lua_State *L)
{
	struct gc *gc = lua_check_core(L, 1);
	int port = lua_check_int(L, 2);
	struct err err = { 0 };
	struct guest_vm vm;

	luaL_checktype(L, 3, LUA_TTABLE);
	lua_settop(L, 3);
	vm.image = text_field(L, 3, "image");
	vm.memory = int_field(L, 3, "memory");
	vm.cpus = int_field(L, 3, "cpus");
	vm.accel = text_field(L, 3, "accel");
	vm.network = text_field(L, 3, "network");
	lua_getfield(L, 3, "spare");
	vm.spare = lua_isnil(L, -1) ? 0 : lua_check_int(L, -1);
	lua_getfield(L, 3, "has_lan");
	vm.has_lan = lua_toboolean(L, -1);
	return push_begun(L, guest_start_vm(gc, port, &vm, &err), &err);
}

/* core:stop(vmid, grace_ms): ends a domain; owners only */
static int core_stop(lua_State *L)
{
	struct gc *gc = lua_check_core(L, 1);
	int vmid = lua_check_int(L, 2), grace_ms = lua_check_int(L, 3);
	struct err err = { 0 };

	return push_begun(L, guest_stop(gc, vmid, grace_ms, &err), &err);
}

/* ---- one-way ----------------------------------------------------------- */

/* core:record(what, vmid, text, json): an event for the ledger */
static int core_record(lua_State *L)
{
	guest_record(lua_check_core(L, 1), luaL_checkstring(L, 2),
		     lua_check_int(L, 3), luaL_optstring(L, 4, ""),
		     luaL_optstring(L, 5, ""));
	return 0;
}

/* core:report(json): what `gcscale status` shows of the controller */
static int core_report(lua_State *L)
{
	guest_report(lua_check_core(L, 1), luaL_checkstring(L, 2));
	return 0;
}

/* core:watch(): this program scales itself. In a VM this asks for the events of
 * its clones, which other programs get in any case. */
/* set_output(out, err): the descriptors that an engine, which is still to be
 * started, and its domains write to. The caller keeps them open. */
static int core_set_output(lua_State *L)
{
	struct gc *gc = lua_check_core(L, 1);
	int i;

	for (i = 0; i < 2; i++)
		gc->output[i] = (int)luaL_checkinteger(L, 2 + i);
	return 0;
}

static int core_watch(lua_State *L)
{
	guest_agent_watch(lua_check_core(L, 1));
	return 0;
}

/* core:metric(name, value) -> true, or nil, err, code */
static int core_metric(lua_State *L)
{
	struct gc *gc = lua_check_core(L, 1);
	const char *name = luaL_checkstring(L, 2);
	lua_Number value = luaL_checknumber(L, 3);
	struct err err = { 0 };

	if (guest_metric(gc, name, value, &err))
		return lua_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

/* core:answer(op, ok, text): answers a "command" */
static int core_answer(lua_State *L)
{
	struct gc *gc = lua_check_core(L, 1);
	lua_Integer op = luaL_checkinteger(L, 2);

	luaL_checkany(L, 3);
	guest_answer(gc, op, lua_toboolean(L, 3) ? 0 : -1,
		     luaL_checkstring(L, 4));
	return 0;
}

/* core:end_all(grace_ms) -> whether there is an engine, which ends all domains
 * within that time, then itself */
static int core_end_all(lua_State *L)
{
	lua_pushboolean(
		L, guest_end_all(lua_check_core(L, 1), lua_check_int(L, 2)));
	return 1;
}

static const luaL_Reg methods[] = {
	{ "fd", core_fd },
	{ "turn", core_turn },
	{ "next", core_next },
	{ "vmid", core_vmid },
	{ "role", core_role },
	{ "address", core_address },
	{ "ports", core_ports },
	{ "request_ticket", core_request_ticket },
	{ "ticket_info", core_ticket_info },
	{ "release_ticket", core_release_ticket },
	{ "clone", core_clone },
	{ "list_domains", core_list_domains },
	{ "kill", core_kill },
	{ "start", core_start },
	{ "start_vm", core_start_vm },
	{ "stop", core_stop },
	{ "record", core_record },
	{ "report", core_report },
	{ "set_output", core_set_output },
	{ "watch", core_watch },
	{ "metric", core_metric },
	{ "answer", core_answer },
	{ "end_all", core_end_all },
	{ NULL, NULL },
};

GC_API int luaopen_gridcentric_core(lua_State *L);

int luaopen_gridcentric_core(lua_State *L)
{
	if (luaL_newmetatable(L, LUA_CORE)) {
		luaL_newlib(L, methods);
		lua_setfield(L, -2, "__index");
	}
	lua_pop(L, 1);
	lua_newtable(L);
	lua_pushcfunction(L, core_open);
	lua_setfield(L, -2, "open");
	lua_tools_open(L);
	lua_session_open(L);
	lua_proxy_open(L);
	return 1;
}
