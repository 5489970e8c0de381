/*
 * job - one clone operation: a ticket's worth of clones of one domain
 *
 *	snapshot of the source --> for each clone: address, pre-clone hook,
 *	spawn, READY, post-clone hook --> answer
 *
 * Operations on one source follow each other; those on several go on at the
 * same time. Some clones of a job may fail: the others live, the answer tells
 * which, and their share of the ticket is given back.
 */
#ifndef GC_ENGINE_CORE_JOB_H
#define GC_ENGINE_CORE_JOB_H

#include "engine/core/core.h"
#include "engine/core/domain.h"
#include "engine/core/ticket.h"

struct job {
	struct engine *engine;
	struct client *asker; /* NULL: it has gone */
	int64_t op;	      /* of the asker's CLONE */
	struct ticket *ticket;
	struct domain *source; /* NULL: it has gone */
	int source_vmid;
	struct image image;
	int running;
	int left; /* clones not ready or failed yet */
	int vmids_len;
	int *vmids;	  /* of those that are ready */
	struct err err;	  /* the first failure */
	struct job *next; /* all jobs of the engine, in order */
};

/*
 * Clones `source` for asker, whose ticket it uses up. listeners: of the
 * source where the asker is the source itself, else NULL: it is asked.
 */
int job_start(struct client *asker, int64_t op, struct ticket *ticket,
	      struct domain *source, const struct listener *listeners, int n,
	      struct err *err);

/* A clone said that it is ready, or why it is not. */
void job_domain_said(struct domain *domain, const struct err *err);

/* A domain has ended: as a clone, or as the source of others. */
void job_domain_ended(struct domain *domain);

/* A client has gone: its jobs go on without somebody to answer. */
void job_forget_client(struct engine *engine, const struct client *client);

/* Sets the backend's callbacks. */
void job_init(struct engine *engine);

#endif
