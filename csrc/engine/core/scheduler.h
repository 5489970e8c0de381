/*
 * scheduler - decides whether, when and where a ticket is granted
 *
 * The contract: request() is answered later, through granted() or denied(),
 * never from inside request(); each request once. A grant is a list of
 * placements, one for each VM, known by their numbers in that list from then
 * on. Each placement ends once: the engine gives it back by release(), or the
 * scheduler takes it away by revoked(). Queueing, fairness and capacity live
 * here; tickets, owners and leases in the engine.
 *
 * To add one: a file schedule/NAME.c with a const struct scheduler_ops, and
 * the choice of it in engine_open().
 */
#ifndef GC_ENGINE_CORE_SCHEDULER_H
#define GC_ENGINE_CORE_SCHEDULER_H

#include "base/err.h"
#include "base/loop.h"
#include "engine/state/state.h"

/* What is asked for; embedded in the engine's ticket. */
struct schedule_request {
	int maxcpus, minvms, mincpuspervm;
	int timeout_ms; /* 0: now or never */
	int64_t memory; /* bytes expected for each VM */
	/* the scheduler's own while it waits or is granted: */
	struct scheduler *scheduler;
	struct loop_timer timer;
	struct schedule_request *next;
	int64_t since_ns;	/* CLOCK_MONOTONIC when it came */
	int waiting;		/* 0: answered, or cancelled */
	int cpus, vms;		/* granted and not given back */
	unsigned char *started; /* by placement: its domain takes its memory */
};

/* One place that a grant gives. */
struct placement {
	char host[64]; /* the name of a host: core/host.h */
	int cpus;
	int64_t memory; /* bytes */
};

struct scheduler {
	const struct scheduler_ops *ops;
	struct loop *loop;
	void *data;  /* the scheduler's own */
	void *owner; /* the engine */
	/* set by the engine; each may call any of the functions below. The
	 * placements are the scheduler's and good for the call. */
	void (*granted)(struct scheduler *s, struct schedule_request *r,
			const struct placement *placements, int n);
	void (*denied)(struct scheduler *s, struct schedule_request *r,
		       struct err *err);
	/* The placement is lost: its host failed, or another job has it now.
	 * It is not released any more. */
	void (*revoked)(struct scheduler *s, struct schedule_request *r,
			int placement, const char *why);
};

struct scheduler_ops {
	/* engine: "NAME-PID". The rest of *s is filled by the caller. */
	int (*open)(struct scheduler *s, const struct state *state,
		    const char *engine, struct err *err);
	void (*close)(struct scheduler *s);
	/*
	 * Asks. An impossible request (more than there can ever be) fails at
	 * once with GC_EIMPOSSIBLE and a text that names the bound; nothing
	 * is called back then. The request must live until it is answered or
	 * cancelled, and, if granted, until all placements have ended.
	 */
	int (*request)(struct scheduler *s, struct schedule_request *r,
		       struct err *err);
	/* Takes back a request that waits; no answer comes any more. */
	void (*cancel)(struct scheduler *s, struct schedule_request *r);
	/* The domain of a placement is ready: the memory that it takes is gone
	 * from what the kernel has, and need not be held for it any more. At
	 * most once for each placement that has not ended. */
	void (*started)(struct scheduler *s, struct schedule_request *r,
			int placement);
	/* Gives back one placement of a grant. */
	void (*release)(struct scheduler *s, struct schedule_request *r,
			int placement);
	/* Fills total and free CPUs, as seen now. */
	void (*capacity)(struct scheduler *s, int *total, int *free);
};

/*
 * This machine. cpus: $GRIDCENTRIC_CPUS, else 256 for each core (for a forked
 * domain a CPU is a unit of account). Engines with one state folder share
 * them: each keeps what it holds in its NAME-PID.lock record under a held
 * lock; who waits watches the folder and is woken by the kernel when another
 * engine gives back or dies. Memory: a grant needs `memory` bytes for each VM
 * to be available (MemAvailable, or the cgroup's limit where it is lower),
 * beside those of all placements that have not started, also of other engines.
 */
extern const struct scheduler_ops scheduler_local;

#endif
