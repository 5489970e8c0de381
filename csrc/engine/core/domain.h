/*
 * domain - one running instance of the program, from its number to its end
 *
 *	STARTING ---> READY ---> STOPPING ---> ENDED
 *	  |   |         '-----------------------^
 *	  |   '----------------> STOPPING       |
 *	  '-------------------------------------'
 *
 * A domain ends when its process has ended, or when it fails before it has one.
 * Each state is reported by events->domain_changed. An ended domain stays in
 * memory until the end of the turn.
 *
 * domain.c: making, finding, states; domain_end.c: everything on the way to ENDED;
 * domain_process.c: which process it is.
 */
#ifndef GC_ENGINE_CORE_DOMAIN_H
#define GC_ENGINE_CORE_DOMAIN_H

#include "engine/core/core.h"
#include "gridcentric/gc-guest.h"

#define DOMAIN_TOKEN   33   /* 32 hexadecimal digits and the NUL */
#define ENDPOINTS_TEXT 2560 /* bytes for those of MAX_LISTENERS sockets */

enum domain_state {
	DOMAIN_STARTING = GC_DOMAIN_STARTING,
	DOMAIN_READY = GC_DOMAIN_READY,
	DOMAIN_STOPPING = GC_DOMAIN_STOPPING,
	DOMAIN_ENDED = GC_DOMAIN_ENDED,
};

/* A client that waits for a domain's end. */
struct waiter {
	struct client *client; /* NULL: it has gone */
	int64_t op;
	SLIST_ENTRY(waiter) link;
};

/* How far a clone is on its way to a process. */
enum domain_spawn {
	SPAWN_NONE,    /* the backend has not been asked, or it is no clone */
	SPAWN_WAITING, /* asked; its source is busy with other clones */
	SPAWN_BEGUN,   /* being made: its time limit runs */
	SPAWN_DONE,    /* its source says that it has made it */
};

struct domain {
	struct engine *engine;
	int vmid;
	enum domain_state state;
	char token[DOMAIN_TOKEN]; /* its client must present it */
	struct err failure;	  /* why it failed, code 0: it did not */

	/* where it is */
	struct placement placement;
	struct host *host;   /* of that name */
	struct lease *lease; /* its address; NULL: none, or retired */
	char ip[46];	     /* at which it is reached; "": nowhere yet */
	struct host_process process;
	struct domain
		*parent; /* whose child the process is, NULL: the engine's,
				* or another process's that ends with it */
	struct client *client; /* its channel; NULL: not yet, or closed */

	/* how it was made */
	enum domain_spawn spawn;
	int64_t made_ms;       /* loop_now() */
	struct ticket *ticket; /* NULL: none */
	int place;	       /* its place in the ticket */
	struct job *job;       /* makes it, until it is ready or has failed */
	int64_t op; /* of the CLONE that made it, if its source asked; 0 */
	struct hook_run *hook; /* that runs for it */
	int has_reported;      /* READY came, or why not */
	int is_up;	       /* it said READY and was admitted */
	void *data;	       /* the backend's own */

	/* how it ends */
	struct loop_timer deadline;	/* to be ready, or to have ended */
	struct loop_timer status_timer; /* waits for the parent's EXITED */
	int reported_status; /* of its process, as its parent said; -1 */
	int program_status;  /* its program's, as its agent said; -1: unknown */
	int is_ending;	     /* its process is dead: domain_end_dead() runs */
	SLIST_HEAD(, waiter) waiters;

	TAILQ_ENTRY(domain) link; /* engine->domains or engine->ended */
};

/*
 * Makes a domain in STARTING, with a token, at a place of `placement`; NULL: at
 * home, outside of any grant. It has no channel and no address yet. Returns
 * NULL on error.
 */
struct domain *domain_new(struct engine *engine, int vmid,
			  const struct placement *placement, struct err *err);

/* The domain that has not ended, by vmid or by process; NULL: none. */
struct domain *domain_find(const struct engine *engine, int vmid);
struct domain *domain_of_pid(const struct engine *engine, int pid);

/* The next domain by vmid; vmid -1: the first. For loops in which any domain may
 * end. */
struct domain *domain_after(const struct engine *engine, int vmid);

/* Leases its address. Returns 0 or a negative code. */
int domain_lease(struct domain *domain, const struct listener *wanted, int n,
		 struct err *err);

/*
 * Gives the domain its channel. open: makes one; *far_end is what its process
 * is to be given, the caller's. use: fd is one already, and whoever is at its
 * far end is believed to be the domain; it is closed on error.
 */
int domain_open_channel(struct domain *domain, int *far_end, struct err *err);
int domain_use_channel(struct domain *domain, int fd, enum wire_role role,
		       struct err *err);

/* Starts its process at its host. Returns 0 or a negated errno. */
int domain_start(struct domain *domain, const struct process_spec *spec);

/*
 * Its process is this one, which is watched from now on. Only for a number that
 * the engine knows from the kernel. Returns 0, also where the process has ended
 * and was reaped; or a negative code where it cannot be watched: the domain
 * fails then.
 */
int domain_watch(struct domain *domain, int pid);

/* A parent says that this process is the domain's. It is believed if the
 * process is the parent's child, and ignored if not. */
void domain_claim_process(struct domain *domain, int pid,
			  const struct client *parent);

/* Its ticket and its address are known: reports it as starting. */
void domain_announce(struct domain *domain, const char *text);

/* It is up: READY. */
void domain_set_ready(struct domain *domain);

/* Writes "8001=127.64.0.1:8001 ..." to text; whole entries, as many as fit. */
void domain_endpoints(const struct domain *domain, char *text, size_t size);

/* ---- its end (domain_end.c) --------------------------------------------- */

/* It will not come up, or cannot go on: killed, if there is something to kill,
 * and ended. */
void domain_fail(struct domain *domain, const struct err *err);

/* Its parent says that it has reaped it, with this wait status. */
void domain_reaped(struct domain *domain, int status);

/* SIGTERM, or what the backend has for that, and SIGKILL grace_ms later; 0:
 * SIGKILL at once. client (may be NULL) is answered DONE at the end. */
void domain_stop(struct domain *domain, int grace_ms, struct client *client,
		 int64_t op);

/* One that was told to end has done what it had to: SIGKILL comes within rest_ms.
 * Harmless for one that was not told. */
void domain_hurry(struct domain *domain, int rest_ms);

/* How often a client waits for its end. */
int domain_count_waiters(const struct domain *domain,
			 const struct client *client);

/* Its channel is closed. */
void domain_lose_client(struct domain *domain);

/* A client has gone: it waits for nothing any more. */
void domain_forget_client(struct engine *engine, const struct client *client);

/* Ends all domains but the owner's own within grace_ms; the engine's run is
 * over with the last of them. */
void domain_end_all(struct engine *engine, int grace_ms);

/* Kills all at once, for the engine's end. */
void domain_kill_all(struct engine *engine);

/* Frees the domains that ended in this turn. */
void domain_free_ended(struct engine *engine);

/* Its process has ended: for domain_process.c. */
void domain_on_exited(struct host_process *process);

/* Reports a new state. */
void domain_set_state(struct domain *domain, enum domain_state state,
		      const char *text);

/* Asserts what must hold for the domain between two turns. */
void domain_check(const struct domain *domain);

#endif
