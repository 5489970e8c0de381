/* job - see job.h */
#include "engine/core/job.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/core/client.h"
#include "engine/core/clone.h"

static void run_next(struct engine *engine, const struct domain *source);

/* ---- its end ------------------------------------------------------------ */

static void answer(const struct job *job)
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
	for (i = 0; i < job->nvmids; i++)
		wire_put_int(out, job->vmids[i]);
	wire_end(out);
	channel_send(&job->asker->channel);
}

static void free_job(struct job *job)
{
	free(job->vmids);
	free(job);
}

static void end(struct job *job)
{
	struct engine *engine = job->engine;
	const struct domain *source = job->source;

	assert(job->state == JOB_CLONING && job->left == 0);
	assert(!job->deadline.loop);
	TAILQ_REMOVE(&engine->jobs, job, link);
	engine->backend.ops->drop(&engine->backend, &job->image);
	answer(job);
	ticket_unref(job->ticket);
	free_job(job);
	if (source)
		run_next(engine, source);
}

/* One clone less to wait for: it is ready (err->code 0), or has failed. domain
 * NULL: it never came to be. */
static void count_clone(struct job *job, struct domain *domain,
			const struct err *err)
{
	assert(job->left > 0 && job->state == JOB_CLONING);
	assert(err->code <= 0 && (domain || err->code));
	if (domain) {
		assert(domain->job == job);
		domain->job = NULL;
	}
	if (err->code && !job->err.code)
		job->err = *err;
	if (!err->code) {
		assert(job->nvmids < job->ticket->vms);
		job->vmids[job->nvmids++] = domain->vmid;
	}
	if (--job->left == 0)
		end(job);
}

/* ---- its course --------------------------------------------------------- */

/* The image is there, or will never be: all clones begin, or fail. */
static void on_image(struct image *image, struct err *err)
{
	struct job *job = container_of(image, struct job, image);
	struct ticket *ticket = job->ticket;
	int i;

	assert(job->state != JOB_CLONING);
	loop_timer_stop(&job->deadline);
	job->state = JOB_CLONING;
	if (!err->code && job->engine->is_ending)
		err_say(err, -ECANCELED, "all domains are being ended");
	job->left = 1; /* so that it does not end within the loop */
	for (i = 0; i < ticket->vms; i++) {
		struct err why = *err;

		if (ticket->places[i].state == PLACE_LOST)
			err_say(&why, -GC_EDENIED, "its place was revoked");
		else if (ticket->places[i].state != PLACE_USED)
			continue;
		job->left++;
		if (!why.code && !clone_begin(job, i, &why))
			continue;
		ticket_leave_place(ticket, i);
		count_clone(job, NULL, &why);
	}
	if (--job->left == 0)
		end(job);
}

/* The program has not named its listeners. */
static void on_late(struct loop_timer *timer)
{
	struct job *job = container_of(timer, struct job, deadline);
	struct backend *backend = &job->engine->backend;
	struct err err;

	err_say(&err, -GC_ENOTREADY, "no clone was made within %d ms: %s",
		clone_timeout_ms(), backend->ops->late_because);
	backend->ops->drop(backend, &job->image);
	on_image(&job->image, &err);
}

static void run(struct job *job)
{
	struct backend *backend = &job->engine->backend;
	struct err err = { 0 };

	assert(job->state == JOB_QUEUED && job->source);
	job->state = JOB_SNAPSHOT;
	job->image.done = on_image;
	/* a live source that has named its listeners is its own image */
	if (!job->image.source || !backend->ops->is_live) {
		job->image.source = job->source;
		if (!backend->ops->snapshot(backend, &job->image, &err)) {
			if (backend->ops->is_live)
				loop_timer_start(&job->engine->loop,
						 &job->deadline,
						 clone_timeout_ms(), on_late);
			return;
		}
	}
	on_image(&job->image, &err);
}

/* Runs the oldest job of the source, unless one is running. */
static void run_next(struct engine *engine, const struct domain *source)
{
	struct job *job, *oldest = NULL;

	TAILQ_FOREACH(job, &engine->jobs, link) {
		if (job->source != source)
			continue;
		if (job->state != JOB_QUEUED)
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
	struct job *job = calloc(1, sizeof *job);

	assert(ticket->owner == asker);
	if (job)
		job->vmids = calloc((size_t)ticket->vms, sizeof *job->vmids);
	if (!job || !job->vmids) {
		free(job);
		return err_set(err, -ENOMEM, "clone");
	}
	if (ticket_use(ticket, err)) {
		free_job(job);
		return err->code;
	}
	ticket_ref(ticket);
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
	TAILQ_INSERT_TAIL(&engine->jobs, job, link);
	run_next(engine, source);
	return 0;
}

/* ---- what happens to others --------------------------------------------- */

/* A clone that was still to be made by a source that has ended. */
static struct domain *find_stranded_clone(const struct engine *engine)
{
	struct domain *domain;

	if (!engine->backend.ops->is_live)
		return NULL; /* its image is all it needs */
	TAILQ_FOREACH(domain, &engine->domains, link)
		if (domain->job && !domain->job->source && !domain->process.pid)
			return domain;
	return NULL;
}

/* A job that has no clones yet, and whose source has ended. */
static struct job *find_stranded_job(const struct engine *engine)
{
	struct job *job;

	TAILQ_FOREACH(job, &engine->jobs, link)
		if (!job->source && job->state != JOB_CLONING)
			return job;
	return NULL;
}

static void end_stranded(struct engine *engine)
{
	struct domain *stranded;
	struct job *job;
	struct err err;

	err_say(&err, -GC_EDIED, "the program ended while it was cloned");
	/* each that ends gets here, too: the lists are searched anew each time */
	while ((stranded = find_stranded_clone(engine)))
		domain_fail(stranded, &err);
	while ((job = find_stranded_job(engine)))
		on_image(&job->image, &err);
}

void job_domain_ready(struct domain *domain)
{
	static const struct err none = { 0 };

	assert(domain->state == DOMAIN_READY);
	if (domain->job)
		count_clone(domain->job, domain, &none);
}

void job_domain_ended(struct domain *domain)
{
	struct engine *engine = domain->engine;
	struct err err = domain->failure;
	struct job *job;

	assert(domain->state == DOMAIN_ENDED);
	if (domain->job) {
		/* that it ended while post-clone ran is no failure */
		if (!err.code && !domain->is_up)
			err_set(&err, -GC_EDIED, "clone %d", domain->vmid);
		count_clone(domain->job, domain, &err);
	}
	engine->backend.ops->forget(&engine->backend, domain);
	TAILQ_FOREACH(job, &engine->jobs, link)
		if (job->source == domain)
			job->source = job->image.source = NULL;
	end_stranded(engine);
}

void job_forget_client(struct engine *engine, const struct client *client)
{
	struct job *job;

	TAILQ_FOREACH(job, &engine->jobs, link)
		if (job->asker == client)
			job->asker = NULL;
}

void job_check(const struct job *job)
{
	const struct engine *engine = job->engine;
	const struct domain *domain;
	int clones = 0;

	TAILQ_FOREACH(domain, &engine->domains, link)
		clones += domain->job == job;
	assert(job->state == JOB_CLONING ? job->left > 0 : job->left == 0);
	assert(clones == job->left);
	assert(job->nvmids <= job->ticket->vms);
	assert(job->ticket->refs > 0);
	assert(!job->source ||
	       domain_find(engine, job->source_vmid) == job->source);
	assert(!job->source || job->source->state != DOMAIN_ENDED);
	assert(job->source || job->state == JOB_CLONING);
	assert(!job->deadline.loop || job->state == JOB_SNAPSHOT);
}
