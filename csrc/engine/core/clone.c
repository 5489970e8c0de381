/* clone - see clone.h */
#include "engine/core/clone.h"

#include <assert.h>
#include <errno.h>

#include "base/setting.h"
#include "engine/core/client.h"
#include "engine/core/domain.h"
#include "engine/core/job.h"
#include "engine/core/ticket.h"

#define CLONE_TIMEOUT_MS 10000 /* from its turn to its READY */

int clone_timeout_ms(void)
{
	return setting_ms("GRIDCENTRIC_CLONE_TIMEOUT", CLONE_TIMEOUT_MS);
}

/* ---- hooks -------------------------------------------------------------- */

/* Whether the engine has that hook to run, and not the domain's own agent. */
static int has_hook(const struct engine *engine, const char *name)
{
	return !engine->backend.ops->has_hooks &&
	       hook_exists(&engine->hooks, name);
}

static void record_hook(const struct domain *domain, const struct err *err,
			const char *text)
{
	ledger_event(domain->engine->ledger, err->code ? "hook failed" : "hook",
		     domain->vmid, err->code ? err->text : text, "");
}

/* Starts the hook for the domain. Returns 0 or a negative code. */
static int start_hook(struct domain *domain, const char *name,
		      void (*done)(struct hook_run *, struct err *),
		      struct err *err)
{
	assert(!domain->hook);
	domain->hook =
		hook_start(&domain->engine->hooks, name, domain->vmid,
			   domain->ticket->uuid, domain->ip, done, domain, err);
	if (!domain->hook)
		record_hook(domain, err, "");
	return domain->hook ? 0 : err->code;
}

/* ---- ready -------------------------------------------------------------- */

static void set_ready(struct domain *domain)
{
	struct backend *backend = &domain->engine->backend;

	/* told to end while post-clone ran, it goes on ending */
	if (domain->state != DOMAIN_STARTING)
		return;
	domain_set_ready(domain);
	if (backend->ops->admitted)
		backend->ops->admitted(backend, domain);
}

/* A post-clone that fails is recorded; the clone lives all the same. */
static void on_post_hook(struct hook_run *run, struct err *err)
{
	struct domain *domain = run->owner;

	domain->hook = NULL;
	record_hook(domain, err, run->text);
	set_ready(domain);
}

void clone_reported(struct domain *domain, const struct err *err,
		    const char *note)
{
	struct engine *engine = domain->engine;
	struct backend *backend = &engine->backend;
	struct err why = *err;

	if (domain->has_reported || domain->state != DOMAIN_STARTING)
		return;
	domain->has_reported = 1;
	if (why.code && domain->job)
		err_prefix(&why, "repair");
	else if (!why.code && backend->ops->admit)
		backend->ops->admit(backend, domain, note, &why);
	if (why.code) {
		domain_fail(domain, &why);
		return;
	}
	domain->is_up = 1;
	loop_timer_stop(&domain->deadline);
	if (!domain->job || !has_hook(engine, "post-clone") ||
	    start_hook(domain, "post-clone", on_post_hook, &why))
		set_ready(domain);
}

/* ---- being made --------------------------------------------------------- */

/* Clones that wait for the same source would be late for the same reason. */
static void fail_waiting(struct engine *engine, const struct domain *source,
			 const struct err *err)
{
	struct domain *domain;
	int vmid = -1;

	while ((domain = domain_after(engine, vmid))) {
		vmid = domain->vmid;
		if (domain->spawn == SPAWN_WAITING && domain->job &&
		    domain->job->source == source)
			domain_fail(domain, err);
	}
}

static void on_deadline(struct loop_timer *timer)
{
	struct domain *domain = container_of(timer, struct domain, deadline);
	struct engine *engine = domain->engine;
	const struct domain *source = domain->job ? domain->job->source : NULL;
	struct err err;

	err_say(&err, -GC_ENOTREADY, "clone %d was not ready after %d ms: %s",
		domain->vmid, clone_timeout_ms(),
		engine->backend.ops->late_because);
	if (source && domain->spawn != SPAWN_DONE)
		fail_waiting(engine, source, &err);
	domain_fail(domain, &err);
}

void clone_begun(struct domain *domain)
{
	assert(domain->spawn == SPAWN_WAITING);
	domain->spawn = SPAWN_BEGUN;
	loop_timer_start(&domain->engine->loop, &domain->deadline,
			 clone_timeout_ms(), on_deadline);
}

static void spawn(struct domain *domain)
{
	struct job *job = domain->job;
	struct backend *backend = &domain->engine->backend;
	struct err err = { 0 };

	domain->spawn = SPAWN_WAITING;
	if (!job->source && backend->ops->is_live)
		err_say(&err, -GC_EDIED,
			"the program ended before it was cloned");
	else
		backend->ops->spawn(backend, &job->image, domain, &err);
	if (err.code)
		domain_fail(domain, &err);
}

static void on_pre_hook(struct hook_run *run, struct err *err)
{
	struct domain *domain = run->owner;
	struct err why = *err;

	domain->hook = NULL;
	record_hook(domain, err, run->text);
	if (why.code) {
		why.code = -GC_EHOOK;
		domain_fail(domain, &why);
		return;
	}
	spawn(domain);
}

/* Makes the domain, at its place in the ticket. */
static struct domain *make(struct job *job, int place, struct err *err)
{
	struct engine *engine = job->engine;
	struct domain *domain;

	domain = domain_new(engine, ++engine->last_vmid,
			    &job->ticket->places[place].placement, err);
	if (!domain)
		return NULL;
	domain->job = job;
	domain->ticket = job->ticket;
	domain->place = place;
	ticket_ref(job->ticket);
	job->ticket->places[place].domain = domain;
	if (job->asker && job->asker->domain == job->source)
		domain->op = job->op;
	if (engine->backend.ops->is_live)
		domain->parent = job->source;
	return domain;
}

int clone_begin(struct job *job, int place, struct err *err)
{
	struct engine *engine = job->engine;
	struct domain *domain = make(job, place, err);

	if (!domain)
		return err->code;
	if (lineage_add(&engine->lineage, domain->vmid, job->source_vmid))
		err_set(err, -ENOMEM, "clone");
	else
		domain_lease(domain, job->image.listeners,
			     job->image.nlisteners, err);
	if (err->code) {
		domain_fail(domain, err);
		return 0;
	}
	domain_announce(domain, "");
	if (!has_hook(engine, "pre-clone")) {
		spawn(domain);
	} else if (start_hook(domain, "pre-clone", on_pre_hook, err)) {
		err->code = -GC_EHOOK;
		domain_fail(domain, err);
	}
	return 0;
}
