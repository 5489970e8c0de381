/*
 * lua/event - answers and events of the engine, as Lua values
 *
 * An answer is: kind, op, error text or nil, error name or nil, values:
 *	"ticket"   {id=, status=, cpus=, vms=, mincpuspervm=}
 *	"cloned"   vmid (0 in the master), list of vmids that exist now
 *	"domains"  list of {vmid=, pid=, state=, host=, endpoints={[port]=}}
 *	"done"
 * Events:
 *	"clone"    vmid: this process is a new clone
 *	"domain"   vmid, state, {pid=, status=, signal=, ip=, port=, ticket=,
 *		   text=}
 *	"command"  op, json
 *	"metric"   vmid, name, value
 *	"console"  vmid, bytes that a VM has written
 *	"engine_lost"  error text, error name
 */
#include "lua/event.h"

#include <assert.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "gridcentric/gc-guest.h"
#include "guest/op.h"
#include "lua/common.h"
#include "lua/proxy.h"
#include "wire/names.h"

static void set_int(lua_State *L, const char *key, lua_Integer value)
{
	lua_pushinteger(L, value);
	lua_setfield(L, -2, key);
}

static void set_str(lua_State *L, const char *key, struct wire_str s)
{
	lua_pushlstring(L, s.p, s.len);
	lua_setfield(L, -2, key);
}

static void push_ticket(lua_State *L, struct wire_msg *msg)
{
	lua_createtable(L, 0, 5);
	set_str(L, "id", wire_str(msg));
	lua_pushstring(
		L, gc_ticket_status_string((gc_ticket_status_t)wire_int(msg)));
	lua_setfield(L, -2, "status");
	set_int(L, "cpus", wire_int(msg));
	set_int(L, "vms", wire_int(msg));
	set_int(L, "mincpuspervm", wire_int(msg));
}

static void push_vmids(lua_State *L, struct wire_msg *msg)
{
	lua_Integer i = 0;

	lua_newtable(L);
	while (wire_more(msg)) {
		lua_pushinteger(L, wire_int(msg));
		lua_rawseti(L, -2, ++i);
	}
}

/* "8001=127.64.0.1:8001 ..." as { [8001] = "127.64.0.1:8001", ... } */
static void set_endpoints(lua_State *L, struct wire_str s)
{
	const char *p = s.p, *end = s.p + s.len;

	lua_newtable(L);
	while (p < end) {
		const char *space = memchr(p, ' ', (size_t)(end - p));
		const char *stop = space ? space : end;
		const char *is = memchr(p, '=', (size_t)(stop - p));

		if (is) {
			lua_pushlstring(L, is + 1, (size_t)(stop - is - 1));
			lua_rawseti(L, -2, atoi(p));
		}
		p = stop + 1;
	}
	lua_setfield(L, -2, "endpoints");
}

static void push_domains(lua_State *L, struct wire_msg *msg)
{
	lua_Integer i = 0;

	lua_newtable(L);
	while (wire_more(msg)) {
		lua_createtable(L, 0, 5);
		set_int(L, "vmid", wire_int(msg));
		set_int(L, "pid", wire_int(msg));
		lua_pushstring(L, domain_state_name(wire_int(msg)));
		lua_setfield(L, -2, "state");
		set_str(L, "host", wire_str(msg));
		set_endpoints(L, wire_str(msg));
		lua_rawseti(L, -2, ++i);
	}
}

void lua_event_state(lua_State *L, struct wire_msg *msg)
{
	lua_createtable(L, 0, 5);
	set_str(L, "name", wire_str(msg));
	set_int(L, "cpus", wire_int(msg));
	set_int(L, "free", wire_int(msg));
	set_str(L, "report", wire_str(msg));
	push_domains(L, msg);
	lua_setfield(L, -2, "domains");
}

/* Pushes the values of an answer that is no failure; those of CLONED also if
 * some clones failed. Returns how many. */
static int push_values(lua_State *L, struct guest_op *op)
{
	switch (op->kind) {
	case GUEST_TICKET:
		if (op->err.code)
			return 0;
		push_ticket(L, &op->msg);
		return 1;
	case GUEST_CLONED:
		lua_pushinteger(L, op->vmid);
		if (!op->frame)
			return 1;
		push_vmids(L, &op->msg);
		return 2;
	case GUEST_DOMAINS:
		if (op->err.code)
			return 0;
		push_domains(L, &op->msg);
		return 1;
	default: return 0;
	}
}

static int push_answer(lua_State *L, struct guest_op *op)
{
	static const char *const names[] = {
		[GUEST_TICKET] = "ticket",
		[GUEST_CLONED] = "cloned",
		[GUEST_DOMAINS] = "domains",
		[GUEST_DONE] = "done",
	};

	assert(op->kind >= GUEST_TICKET && op->kind <= GUEST_DONE);
	lua_pushstring(L, names[op->kind]);
	lua_pushinteger(L, op->number);
	if (op->err.code) {
		lua_fail(L, &op->err);
		lua_remove(L, -3); /* the nil */
	} else {
		lua_pushnil(L);
		lua_pushnil(L);
	}
	return 4 + push_values(L, op);
}

static int push_domain_event(lua_State *L, struct wire_msg *msg)
{
	int64_t status;

	lua_pushinteger(L, wire_int(msg));
	lua_pushstring(L, domain_state_name(wire_int(msg)));
	lua_createtable(L, 0, 6);
	set_int(L, "pid", wire_int(msg));
	status = wire_int(msg);
	if (status >= 0 && WIFEXITED(status))
		set_int(L, "status", WEXITSTATUS(status));
	if (status >= 0 && WIFSIGNALED(status))
		set_int(L, "signal", WTERMSIG(status));
	set_str(L, "ip", wire_str(msg));
	set_int(L, "port", wire_int(msg));
	set_str(L, "ticket", wire_str(msg));
	set_str(L, "text", wire_str(msg));
	return 3;
}

static int push_event(lua_State *L, struct guest_event *event, int kind)
{
	struct wire_str s;

	switch (kind) {
	case GUEST_CLONE:
		lua_proxy_forget(L); /* before any callback runs */
		lua_pushliteral(L, "clone");
		return 1;
	case GUEST_DOMAIN:
		lua_pushliteral(L, "domain");
		return 1 + push_domain_event(L, &event->msg);
	case GUEST_COMMAND:
		lua_pushliteral(L, "command");
		lua_pushinteger(L, wire_int(&event->msg));
		s = wire_str(&event->msg);
		lua_pushlstring(L, s.p, s.len);
		return 3;
	case GUEST_METRIC:
		lua_pushliteral(L, "metric");
		lua_pushinteger(L, wire_int(&event->msg));
		s = wire_str(&event->msg);
		lua_pushlstring(L, s.p, s.len);
		lua_pushnumber(L, wire_to_double(wire_int(&event->msg)));
		return 4;
	case GUEST_CONSOLE:
		lua_pushliteral(L, "console");
		lua_pushinteger(L, wire_int(&event->msg));
		s = wire_str(&event->msg);
		lua_pushlstring(L, s.p, s.len);
		return 3;
	default:
		lua_pushliteral(L, "engine_lost");
		lua_fail(L, &event->err);
		lua_remove(L, -3);
		return 3;
	}
}

int lua_event_push(lua_State *L, struct completion *completion)
{
	assert(completion->kind > 0 && completion->kind < GUEST_KINDS);
	luaL_checkstack(L, 12, "completion");
	if (completion->kind >= GUEST_CLONE)
		return push_event(
			L, container_of(completion, struct guest_event, done),
			completion->kind);
	return push_answer(L, container_of(completion, struct guest_op, done));
}
