/*
 * gridcentric.engine_core - core/ with a scheduler and a backend that do what a
 * spec says, for specs of tickets, places and clones
 *
 *	core = engine_core.new(host, ...)	-- names of hosts; the first is home
 *	core:request(vms, at_least)		-- -> number of the ticket
 *	core:grant(ticket, host, ...)		-- a placement for each host
 *	core:revoke(ticket, place, why)
 *	core:use(ticket)			-- clones domain 0; answers later
 *	core:release(ticket)
 *	core:ready(vmid), core:fail(vmid)	-- the clone says so
 *	core:ticket(ticket)			-- -> { status =, held =, used = }
 *	core:domains()				-- -> { [vmid] = { host =, cpus =,
 *						--	state = } }
 *	core:released()				-- -> { place, ... } given back
 *	core:close()
 *
 * Places count from 0. After each call ended domains are freed, and all
 * structures are checked.
 */
#include <assert.h>
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/unix_socket.h"
#include "engine/core/client.h"
#include "engine/core/clone.h"
#include "engine/core/domain.h"
#include "engine/core/job.h"
#include "engine/core/ticket.h"
#include "wire/names.h"

#define TYPE	    "gridcentric.engine_core"
#define MAX_HOSTS   4
#define MAX_TICKETS 64
#define MAX_PLACES  64

struct spec_core {
	struct engine engine;
	struct host hosts[MAX_HOSTS];
	struct ticket *tickets[MAX_TICKETS];
	int ntickets;
	int released[MAX_PLACES], nreleased;
	int far_end; /* of the owner's channel */
	int is_open;
};

/* ---- what the core is given --------------------------------------------- */

static int request_nothing(struct scheduler *s, struct schedule_request *r,
			   struct err *err)
{
	return 0;
}

static void cancel_nothing(struct scheduler *s, struct schedule_request *r)
{
}

static void note_release(struct scheduler *s, struct schedule_request *r,
			 int place)
{
	struct spec_core *c =
		container_of(s, struct spec_core, engine.scheduler);

	assert(c->nreleased < MAX_PLACES);
	c->released[c->nreleased++] = place;
}

static void start_nothing(struct scheduler *s, struct schedule_request *r,
			  int place)
{
}

static const struct scheduler_ops scheduler_ops = {
	.request = request_nothing,
	.cancel = cancel_nothing,
	.started = start_nothing,
	.release = note_release,
};

static struct lease *lease_anything(struct host *host,
				    const struct listener *wanted, int n,
				    struct err *err)
{
	struct lease *lease = calloc(1, sizeof *lease);

	lease->host = host;
	strcpy(lease->ip, "127.1.2.3");
	return lease;
}

static void free_lease(struct lease *lease)
{
	free(lease);
}

static int open_nothing(struct host *host, struct err *err)
{
	return 0;
}

static void close_nothing(struct host *host)
{
}

static int relieve_nothing(struct host *host)
{
	return 0;
}

static const struct host_ops host_ops = {
	.open = open_nothing,
	.close = close_nothing,
	.lease = lease_anything,
	.retire = free_lease,
	.relieve = relieve_nothing,
};

static int snapshot(struct backend *b, struct image *image, struct err *err)
{
	return err_say(err, -EINVAL, "the source is its own image");
}

static int spawn(struct backend *b, struct image *image, struct domain *domain,
		 struct err *err)
{
	clone_begun(domain);
	return 0;
}

static void drop(struct backend *b, struct image *image)
{
}

static void forget(struct backend *b, struct domain *domain)
{
}

static const struct backend_ops backend_ops = {
	.clones = "clones of a spec",
	.is_live = 1,
	.late_because = "a spec forgot it",
	.snapshot = snapshot,
	.spawn = spawn,
	.drop = drop,
	.forget = forget,
};

static void on_message(struct client *client, struct wire_msg *msg)
{
}

static void on_client(struct client *client)
{
	client->engine->owner = NULL;
}

static void on_domain(struct domain *domain, const char *text)
{
	if (domain->state == DOMAIN_ENDED)
		job_domain_ended(domain);
	else if (domain->state == DOMAIN_READY)
		job_domain_ready(domain);
}

static void on_answer(struct ticket *ticket, const struct err *err)
{
}

static void on_ticket(struct ticket *ticket)
{
}

static void on_place_lost(struct ticket *ticket, int place, const char *why)
{
	struct err err;

	err_say(&err, -GC_EDENIED, "%s", why);
	if (ticket->places[place].domain)
		domain_fail(ticket->places[place].domain, &err);
}

static const struct engine_events events = {
	.message_received = on_message,
	.client_closed = on_client,
	.domain_changed = on_domain,
	.ticket_answered = on_answer,
	.ticket_changed = on_ticket,
	.place_lost = on_place_lost,
};

/* ---- the core ------------------------------------------------------------ */

static struct spec_core *get(lua_State *L)
{
	struct spec_core *c = luaL_checkudata(L, 1, TYPE);

	luaL_argcheck(L, c->is_open, 1, "closed");
	return c;
}

/* What engine_run() does after each turn. */
static int end_call(struct spec_core *c, int nresults)
{
	const struct domain *domain;
	const struct ticket *ticket;
	const struct job *job;

	domain_free_ended(&c->engine);
	TAILQ_FOREACH(domain, &c->engine.domains, link)
		domain_check(domain);
	LIST_FOREACH(ticket, &c->engine.tickets, link)
		ticket_check(ticket);
	TAILQ_FOREACH(job, &c->engine.jobs, link)
		job_check(job);
	return nresults;
}

static struct ticket *get_ticket(lua_State *L, struct spec_core *c)
{
	lua_Integer i = luaL_checkinteger(L, 2);

	luaL_argcheck(L, i >= 0 && i < c->ntickets, 2, "no such ticket");
	return c->tickets[i];
}

static struct domain *get_domain(lua_State *L, struct spec_core *c)
{
	struct domain *domain =
		domain_find(&c->engine, (int)luaL_checkinteger(L, 2));

	luaL_argcheck(L, domain, 2, "no such domain");
	return domain;
}

static void open_hosts(lua_State *L, struct spec_core *c, int n)
{
	struct engine *engine = &c->engine;
	struct err err;
	int i;

	for (i = 0; i < n; i++)
		host_open(i ? &c->hosts[i] : &engine->home, &engine->hosts,
			  &host_ops, luaL_checkstring(L, i + 1), &engine->loop,
			  &err);
}

/* The master of an engine that is inside. */
static void open_master(lua_State *L, struct spec_core *c)
{
	struct engine *engine = &c->engine;
	struct domain *master;
	struct err err;
	int ends[2];

	if (unix_socket_pair(ends))
		luaL_error(L, "no sockets");
	c->far_end = ends[1];
	engine->owner = client_new(engine, ends[0], CLIENT_MAY_BE(ROLE_INSIDE));
	client_set_role(engine->owner, ROLE_INSIDE);
	engine->owner->pid = getpid();
	master = domain_new(engine, 0, NULL, &err);
	master->client = engine->owner;
	engine->owner->domain = master;
	master->process.pid = getpid();
	domain_set_ready(master);
}

static void init_engine(struct engine *engine)
{
	engine->events = &events;
	engine->backend.ops = &backend_ops;
	engine->backend.engine = engine;
	engine->scheduler.ops = &scheduler_ops;
	engine->scheduler.loop = &engine->loop;
	engine->clone_cpus = 1;
	LIST_INIT(&engine->hosts);
	LIST_INIT(&engine->clients);
	TAILQ_INIT(&engine->domains);
	TAILQ_INIT(&engine->ended);
	LIST_INIT(&engine->tickets);
	TAILQ_INIT(&engine->jobs);
	ticket_init(engine);
}

static int new_core(lua_State *L)
{
	int n = lua_gettop(L);
	struct spec_core *c;

	luaL_argcheck(L, n >= 1 && n <= MAX_HOSTS, 1, "1 to 4 hosts");
	c = lua_newuserdatauv(L, sizeof *c, 0);
	memset(c, 0, sizeof *c);
	init_engine(&c->engine);
	if (loop_init(&c->engine.loop))
		return luaL_error(L, "no loop");
	hooks_init(&c->engine.hooks, &c->engine.loop);
	open_hosts(L, c, n);
	open_master(L, c);
	c->is_open = 1;
	luaL_setmetatable(L, TYPE);
	return end_call(c, 1);
}

static int close_core(lua_State *L)
{
	struct spec_core *c = luaL_checkudata(L, 1, TYPE);
	struct engine *engine = &c->engine;
	struct err err = { .code = -ECANCELED };
	struct domain *domain;
	int vmid = 0;

	if (!c->is_open)
		return 0;
	c->is_open = 0;
	while ((domain = domain_after(engine, vmid))) {
		vmid = domain->vmid;
		domain_fail(domain, &err);
	}
	client_close(engine->owner);
	domain_free_ended(engine);
	lineage_free(&engine->lineage);
	loop_free(&engine->loop);
	close(c->far_end);
	return 0;
}

/* ---- tickets ------------------------------------------------------------- */

static int request(lua_State *L)
{
	struct spec_core *c = get(L);
	int vms = (int)luaL_checkinteger(L, 2);
	struct ticket *ticket;
	struct err err;

	luaL_argcheck(L, c->ntickets < MAX_TICKETS, 1, "too many tickets");
	ticket = ticket_request(c->engine.owner, 1, vms,
				(int)luaL_checkinteger(L, 3), 1, 0, &err);
	if (!ticket)
		return luaL_error(L, "%s", err.text);
	lua_pushinteger(L, c->ntickets);
	c->tickets[c->ntickets++] = ticket;
	return end_call(c, 1);
}

/* Each placement has one CPU more than the one before it. */
static int grant(lua_State *L)
{
	struct spec_core *c = get(L);
	struct ticket *ticket = get_ticket(L, c);
	struct placement placements[MAX_PLACES];
	int i, n = lua_gettop(L) - 2;

	luaL_argcheck(L, n > 0 && n <= MAX_PLACES, 3, "how many?");
	memset(placements, 0, sizeof placements);
	for (i = 0; i < n; i++) {
		strncpy(placements[i].host, luaL_checkstring(L, i + 3),
			sizeof placements[i].host - 1);
		placements[i].cpus = i + 1;
	}
	ticket->request.vms = ticket->request.cpus = n;
	c->engine.scheduler.granted(&c->engine.scheduler, &ticket->request,
				    placements, n);
	return end_call(c, 0);
}

static int revoke_place(lua_State *L)
{
	struct spec_core *c = get(L);
	struct ticket *ticket = get_ticket(L, c);

	c->engine.scheduler.revoked(&c->engine.scheduler, &ticket->request,
				    (int)luaL_checkinteger(L, 3),
				    luaL_checkstring(L, 4));
	return end_call(c, 0);
}

static int use(lua_State *L)
{
	static const struct listener none;
	struct spec_core *c = get(L);
	struct ticket *ticket = get_ticket(L, c);
	struct err err;

	if (job_start(c->engine.owner, 2, ticket, domain_find(&c->engine, 0),
		      &none, 0, &err))
		return luaL_error(L, "%s", err.text);
	return end_call(c, 0);
}

static int release(lua_State *L)
{
	struct spec_core *c = get(L);
	struct ticket *ticket = get_ticket(L, c);
	struct err err;

	if (ticket_release(ticket, &err))
		return luaL_error(L, "%s", err.text);
	return end_call(c, 0);
}

static int get_ticket_fields(lua_State *L)
{
	struct spec_core *c = get(L);
	const struct ticket *ticket = get_ticket(L, c);

	lua_createtable(L, 0, 3);
	lua_pushstring(L, gc_ticket_status_string(ticket->status));
	lua_setfield(L, -2, "status");
	lua_pushinteger(L, ticket->held);
	lua_setfield(L, -2, "held");
	lua_pushinteger(L, ticket->used);
	lua_setfield(L, -2, "used");
	return 1;
}

static int get_released(lua_State *L)
{
	struct spec_core *c = get(L);
	int i;

	lua_createtable(L, c->nreleased, 0);
	for (i = 0; i < c->nreleased; i++) {
		lua_pushinteger(L, c->released[i]);
		lua_seti(L, -2, i + 1);
	}
	return 1;
}

/* ---- domains ------------------------------------------------------------- */

static int report(lua_State *L, int code)
{
	struct spec_core *c = get(L);
	struct err err = { .code = code };

	clone_reported(get_domain(L, c), &err, "");
	return end_call(c, 0);
}

static int ready(lua_State *L)
{
	return report(L, 0);
}

static int fail(lua_State *L)
{
	return report(L, -GC_EREPAIR);
}

static int get_domains(lua_State *L)
{
	struct spec_core *c = get(L);
	const struct domain *domain;

	lua_newtable(L);
	TAILQ_FOREACH(domain, &c->engine.domains, link) {
		lua_createtable(L, 0, 3);
		lua_pushstring(L, domain->host->name);
		lua_setfield(L, -2, "host");
		lua_pushinteger(L, domain->placement.cpus);
		lua_setfield(L, -2, "cpus");
		lua_pushstring(L, domain_state_name(domain->state));
		lua_setfield(L, -2, "state");
		lua_seti(L, -2, domain->vmid);
	}
	return 1;
}

static const luaL_Reg methods[] = {
	{ "request", request },
	{ "grant", grant },
	{ "revoke", revoke_place },
	{ "use", use },
	{ "release", release },
	{ "ticket", get_ticket_fields },
	{ "released", get_released },
	{ "ready", ready },
	{ "fail", fail },
	{ "domains", get_domains },
	{ "close", close_core },
	{ "__gc", close_core },
	{ NULL, NULL },
};

__attribute__((visibility("default"))) int
luaopen_gridcentric_engine_core(lua_State *L);

int luaopen_gridcentric_engine_core(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "new", new_core },
		{ NULL, NULL },
	};

	luaL_newmetatable(L, TYPE);
	luaL_setfuncs(L, methods, 0);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	luaL_newlib(L, functions);
	return 1;
}
