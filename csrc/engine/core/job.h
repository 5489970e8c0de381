/*
 * job - one clone operation: a ticket's worth of clones of one domain
 *
 *	job_start()	the ticket is used up
 *	snapshot	by the backend; none where the source has named its
 *	   |		listeners and is its own image
 *	clones		one for each used place of the ticket: clone.h
 *	answer		CLONED, with the vmids of those that are ready
 *
 * Jobs of one source follow each other; those of several run at the same time.
 * Some clones of a job may fail: the others live, the answer names both, and
 * the places of those that failed go back.
 */
#ifndef GC_ENGINE_CORE_JOB_H
#define GC_ENGINE_CORE_JOB_H

#include "engine/core/core.h"
#include "engine/core/domain.h"
#include "engine/core/ticket.h"

enum job_state {
	JOB_QUEUED,   /* another job of its source runs */
	JOB_SNAPSHOT, /* the image is being taken */
	JOB_CLONING,  /* its clones are being made */
};

struct job {
	struct engine *engine;
	enum job_state state;
	struct client *asker; /* NULL: it has gone */
	int64_t op;	      /* of the asker's CLONE */
	struct ticket *ticket;
	struct domain *source; /* NULL: it has ended */
	int source_vmid;
	struct image image;
	struct loop_timer deadline; /* for a live source's listeners */
	int left;	       /* clones that are neither ready nor failed */
	int nvmids;	       /* clones that are ready ... */
	int *vmids;	       /* ... and their numbers */
	struct err err;	       /* the first failure */
	TAILQ_ENTRY(job) link; /* engine->jobs */
};

/*
 * Clones `source` for asker, whose ticket it uses up. listeners: of the source,
 * where the asker is the source itself; NULL: the source is asked for them.
 */
int job_start(struct client *asker, int64_t op, struct ticket *ticket,
	      struct domain *source, const struct listener *listeners, int n,
	      struct err *err);

/* A domain is ready: if it is a clone of a job, that waits for one less. */
void job_domain_ready(struct domain *domain);

/* A domain has ended: as a clone, or as the source of others. */
void job_domain_ended(struct domain *domain);

/* A client has gone: its jobs go on, and nobody is answered. */
void job_forget_client(struct engine *engine, const struct client *client);

/* Asserts what must hold for the job between two turns. */
void job_check(const struct job *job);

#endif
