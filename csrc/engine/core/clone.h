/*
 * clone - one clone of a job, from its number to READY
 *
 *	clone_begin()	vmid, place, address; reported as starting
 *	pre-clone	the hook, unless the backend's domains run it themselves
 *	spawn		by the backend; clone_begun() starts the time limit
 *	clone_reported()	its READY, or why not; the backend admits it
 *	post-clone	the hook
 *	READY		which its job counts
 *
 * What fails on the way fails the clone (domain_fail()), and its job counts its
 * end.
 */
#ifndef GC_ENGINE_CORE_CLONE_H
#define GC_ENGINE_CORE_CLONE_H

#include "engine/core/core.h"

/* How long a source, and then each clone, may take. */
int clone_timeout_ms(void);

/* Begins the clone at a place of the job's ticket. Returns 0, also where it
 * fails as a domain, or a negative code: there is no domain. */
int clone_begin(struct job *job, int place, struct err *err);

/* For the backend, in or after spawn(): the clone is being made now, no other
 * is made before it. Its time limit begins. */
void clone_begun(struct domain *domain);

/* A domain, cloned or not, said READY (err->code 0) or why it never will be.
 * note: what it said besides. */
void clone_reported(struct domain *domain, const struct err *err,
		    const char *note);

#endif
