/* job - see job.h */
#include "engine/core/job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/setting.h"
#include "engine/core/client.h"

#define CLONE_TIMEOUT_MS 10000 /* from asking for a clone to its READY */

static void run_next(struct engine *engine, const struct domain *source);

/* Whether the engine has a hook to run, and not the clone's own agent. */
static int has_hook(const struct engine *engine, const char *name)
{
	return !engine->backend.ops->has_hooks &&
	       hook_exists(&engine->hooks, name);
}

static int timeout_ms(void)
{
	return setting_ms("GRIDCENTRIC_CLONE_TIMEOUT", CLONE_TIMEOUT_MS);
}

/* ---- the end of a job -------------------------------------------------- */

static void answer(struct job *job)
{
	struct wire_buf *out;
	int i;

	if (!job->asker)
		return;
	out = channel_out(&job->asker->channel);
	wire_begin(out, WIRE_CLONED, 0);
	wire_put_int(out, job->op);
	wire_put_int(out, job->err.code);
	wire_put_text(out, job->err.code ? job->err.text : "");
	for (i = 0; i < job->vmids_len; i++)
		wire_put_int(out, job->vmids[i]);
	wire_end(out);
	channel_send(&job->asker->channel);
}

static void finish(struct job *job)
{
	struct engine *engine = job->engine;
	struct domain *source = job->source;
	struct job **at = &engine->jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	engine->backend.ops->drop(&engine->backend, &job->image);
	answer(job);
	free(job->vmids);
	free(job);
	if (source)
		run_next(engine, source);
}

/* One clone less to wait for. */
static void one_done(struct job *job, struct domain *domain,
		     const struct err *err)
{
	if (domain)
		domain->job = NULL;
	if (err->code && !job->err.code)
		job->err = *err;
	if (!err->code)
		job->vmids[job->vmids_len++] = domain->vmid;
	if (--job->left == 0)
		finish(job);
}

/* ---- one clone --------------------------------------------------------- */

static void on_post_hook(struct hook_run *run, struct err *err)
{
	struct domain *domain = run->owner;
	struct job *job = domain->job;
	struct err none = { 0 };

	domain->hook = NULL;
	/* its failure is told; the clone lives all the same */
	ledger_event(domain->engine->ledger, err->code ? "hook failed" : "hook",
		     domain->vmid, err->code ? err->text : run->text, "");
	/* told to end while it ran, it goes on ending */
	if (domain->state == DOMAIN_STARTING)
		domain_ready(domain);
	if (job)
		one_done(job, domain, &none);
}

static void made(struct domain *domain)
{
	struct engine *engine = domain->engine;
	struct job *job = domain->job;
	struct err err = { 0 };

	domain->said_ready = 1;
	if (has_hook(engine, "post-clone")) {
		loop_timer_stop(&domain->deadline);
		domain->hook =
			hook_start(&engine->hooks, "post-clone", domain->vmid,
				   job->ticket->uuid, domain->lease->ip,
				   on_post_hook, domain, &err);
		if (domain->hook)
			return;
		ledger_event(engine->ledger, "hook failed", domain->vmid,
			     err.text, "");
		err.code = 0;
	}
	domain_ready(domain);
	one_done(job, domain, &err);
}

void job_domain_said(struct domain *domain, const struct err *err)
{
	struct err why = *err;

	if (!domain->job || domain->state != DOMAIN_STARTING || domain->hook)
		return;
	if (!err->code) {
		made(domain);
		return;
	}
	err_prefix(&why, "repair");
	domain_fail(domain, &why);
}

static void on_deadline(struct loop_timer *timer)
{
	struct domain *domain = container_of(timer, struct domain, deadline);
	struct err err;

	err_say(&err, -GC_ENOTREADY, "clone %d was not ready after %d ms: %s",
		domain->vmid, timeout_ms(),
		domain->engine->backend.ops->has_hooks
			? "the virtual machine did not come up"
			: "the program did not return to its event loop");
	domain_fail(domain, &err);
}

static void spawn(struct domain *domain)
{
	struct job *job = domain->job;
	struct backend *backend = &domain->engine->backend;
	struct ticket *ticket = job->ticket;
	struct err err = { 0 };

	loop_timer_start(&domain->engine->loop, &domain->deadline, timeout_ms(),
			 on_deadline);
	if (!job->source && backend->ops->is_live)
		err_say(&err, -GC_EDIED,
			"the program ended before it was cloned");
	else
		backend->ops->spawn(backend, &job->image, domain,
				    ticket->placements, &err);
	if (err.code)
		domain_fail(domain, &err);
}

static void on_pre_hook(struct hook_run *run, struct err *err)
{
	struct domain *domain = run->owner;
	struct err why;

	domain->hook = NULL;
	ledger_event(domain->engine->ledger, err->code ? "hook failed" : "hook",
		     domain->vmid, err->code ? err->text : run->text, "");
	if (!err->code) {
		spawn(domain);
		return;
	}
	why = *err;
	why.code = -GC_EHOOK;
	domain_fail(domain, &why);
}

/* Begins one clone, which fails or comes up as a domain. Negative: there is
 * none. */
static int begin(struct job *job, struct err *err)
{
	struct engine *engine = job->engine;
	struct domain *domain =
		domain_new(engine, ++engine->last_vmid, NULL, err);

	if (!domain)
		return err->code;
	domain->job = job;
	if (job->asker && job->asker->domain == job->source)
		domain->op = job->op;
	domain->ticket = job->ticket;
	if (engine->backend.ops->is_live && job->source)
		domain->parent_pid = job->source->pid;
	if (lineage_add(&engine->lineage, domain->vmid, job->source_vmid))
		err_set(err, -ENOMEM, "clone");
	else
		domain->lease =
			address_lease(&engine->addresses, job->image.listeners,
				      job->image.nlisteners, err);
	if (!domain->lease) {
		domain_fail(domain, err);
		return 0;
	}
	domain_announce(domain, "");
	if (!has_hook(engine, "pre-clone")) {
		spawn(domain);
		return 0;
	}
	domain->hook = hook_start(&engine->hooks, "pre-clone", domain->vmid,
				  job->ticket->uuid, domain->lease->ip,
				  on_pre_hook, domain, err);
	if (!domain->hook) {
		ledger_event(engine->ledger, "hook failed", domain->vmid,
			     err->text, "");
		err->code = -GC_EHOOK;
		domain_fail(domain, err);
	}
	return 0;
}

/* ---- one job ----------------------------------------------------------- */

/* The image is there, or not: all clones begin, or fail. */
static void on_snapshot(struct image *image, struct err *err)
{
	struct job *job = container_of(image, struct job, image);
	int i, n = job->ticket->vms;

	if (!err->code && job->engine->ending)
		err_say(err, -ECANCELED, "all domains are being ended");
	job->left = n + 1; /* so that it does not finish within the loop */
	for (i = 0; i < n; i++) {
		struct err why = *err;

		if (!why.code && !begin(job, &why))
			continue;
		ticket_domain_ended(job->ticket);
		one_done(job, NULL, &why);
	}
	if (--job->left == 0)
		finish(job);
}

static void run(struct job *job)
{
	struct backend *backend = &job->engine->backend;
	struct err err = { 0 };

	job->running = 1;
	/* its listeners are to be asked for, or there is more to do */
	if (!job->image.source || !backend->ops->is_live) {
		job->image.source = job->source;
		if (!backend->ops->snapshot(backend, &job->image, &err))
			return;
	}
	on_snapshot(&job->image, &err);
}

/* Runs the oldest job of the source, unless one is running. */
static void run_next(struct engine *engine, const struct domain *source)
{
	struct job *job, *oldest = NULL;

	for (job = engine->jobs; job; job = job->next) {
		if (job->source != source)
			continue;
		if (job->running)
			return;
		if (!oldest)
			oldest = job;
	}
	if (oldest)
		run(oldest);
}

int job_start(struct client *asker, int64_t op, struct ticket *ticket,
	      struct domain *source, const struct listener *listeners, int n,
	      struct err *err)
{
	struct engine *engine = asker->engine;
	struct job *job = calloc(1, sizeof *job), **at = &engine->jobs;

	if (job)
		job->vmids = calloc((size_t)ticket->vms, sizeof *job->vmids);
	if (!job || !job->vmids) {
		free(job);
		return err_set(err, -ENOMEM, "clone");
	}
	if (ticket_use(ticket, err)) {
		free(job->vmids);
		free(job);
		return err->code;
	}
	job->engine = engine;
	job->asker = asker;
	job->op = op;
	job->ticket = ticket;
	job->source = source;
	job->source_vmid = source->vmid;
	if (listeners && engine->backend.ops->is_live) {
		job->image.source = source;
		job->image.nlisteners = n;
		memcpy(job->image.listeners, listeners,
		       (size_t)n * sizeof *listeners);
	}
	while (*at)
		at = &(*at)->next;
	*at = job;
	run_next(engine, source);
	return 0;
}

/* ---- what others tell -------------------------------------------------- */

static void on_spawned(struct domain *domain, int pid, struct err *err)
{
	if (err->code)
		domain_fail(domain, err);
	else
		domain_has_pid(domain, pid);
}

/* A clone that is still to be made, by a source that has gone. */
static struct domain *find_stranded(const struct engine *engine)
{
	struct domain *domain = engine->domains;

	if (!engine->backend.ops->is_live)
		return NULL; /* its image is all it needs */
	while (domain && (!domain->job || domain->job->source || domain->pid))
		domain = domain->next;
	return domain;
}

/* A job that has not begun a clone yet, and whose source has gone. */
static struct job *find_stranded_job(const struct engine *engine)
{
	struct job *job = engine->jobs;

	while (job && (job->source || job->left))
		job = job->next;
	return job;
}

void job_domain_ended(struct domain *domain)
{
	struct engine *engine = domain->engine;
	struct err err = domain->failure;
	struct domain *stranded;
	struct job *job;

	if (domain->job) {
		/* that it ended while post-clone ran is no failure */
		if (!err.code && !domain->said_ready)
			err_set(&err, -GC_EDIED, "clone %d", domain->vmid);
		one_done(domain->job, domain, &err);
	}
	engine->backend.ops->gone(&engine->backend, domain);
	for (job = engine->jobs; job; job = job->next)
		if (job->source == domain)
			job->source = job->image.source = NULL;
	err_say(&err, -GC_EDIED, "the program ended while it was cloned");
	/* clones that it was to fork will never be; each that ends gets here,
	 * too, so the lists are looked at anew each time */
	while ((stranded = find_stranded(engine)))
		domain_fail(stranded, &err);
	while ((job = find_stranded_job(engine)))
		on_snapshot(&job->image, &err);
}

void job_forget_client(struct engine *engine, const struct client *client)
{
	struct job *job;

	for (job = engine->jobs; job; job = job->next)
		if (job->asker == client)
			job->asker = NULL;
}

static void on_said(struct domain *domain, struct err *err)
{
	if (domain->job)
		job_domain_said(domain, err);
	else if (domain->state == DOMAIN_STARTING && err->code)
		domain_fail(domain, err);
	else if (domain->state == DOMAIN_STARTING)
		domain_ready(domain);
}

void job_init(struct engine *engine)
{
	engine->backend.said = on_said;
	engine->backend.snapshotted = on_snapshot;
	engine->backend.spawned = on_spawned;
}
