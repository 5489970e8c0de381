/*
 * domain - one running instance of the program, from its number to its end
 *
 *	STARTING ---> READY ---> STOPPING ---> ENDED
 *	    |            '-----------------------^
 *	    '-- (failed) ------------------------'
 *
 * A domain has ended when its process has (a pidfd tells), or when it failed
 * before it had one. Each change is told to engine->domain_changed.
 */
#ifndef GC_ENGINE_CORE_DOMAIN_H
#define GC_ENGINE_CORE_DOMAIN_H

#include "engine/core/core.h"
#include "gridcentric/gc-guest.h"

#define DOMAIN_TOKEN 33 /* 32 hexadecimal digits and the NUL */

enum domain_state {
	DOMAIN_STARTING = GC_DOMAIN_STARTING,
	DOMAIN_READY = GC_DOMAIN_READY,
	DOMAIN_STOPPING = GC_DOMAIN_STOPPING,
	DOMAIN_ENDED = GC_DOMAIN_ENDED,
};

/* Somebody who waits for a domain's end, or for its start. */
struct waiter {
	struct client *client;
	int64_t op;
	struct waiter *next;
};

struct domain {
	struct engine *engine;
	int vmid;
	enum domain_state state;
	int pid;		  /* 0 while it has none */
	int parent_pid;		  /* who is to reap it, 0: the engine */
	char token[DOMAIN_TOKEN]; /* its client must present it */
	struct loop_source pidfd;
	struct loop_timer deadline;	/* to be ready, or to have ended */
	struct loop_timer status_timer; /* waits for the parent's word */
	int status;			/* wait status, -1: not known */
	int program_status; /* the same of its program, as its agent said; -1 */
	int dead;	    /* its process is; end() comes */
	int said_ready;	    /* it is, once post-clone has run */
	struct lease *lease; /* NULL: none */
	char ip[16]; /* where it is reached, if that is not its lease's; "" */
	struct client *client; /* its channel, NULL: none (more) */
	int far_end;	       /* of the channel, until handed over */
	struct ticket *ticket; /* NULL: none */
	struct job *job;       /* that makes it, until it is made */
	int64_t op; /* of the CLONE that made it, if its source asked; 0 */
	struct hook_run *hook;	/* that runs for it */
	void *made;		/* the backend's own */
	struct waiter *waiters; /* for its end */
	int64_t made_ms;	/* loop_now() */
	struct err failure;	/* why it failed, code 0: it did not */
	struct domain *next, **self;
};

/*
 * A new domain in STARTING, with a token; its channel is `client`, or, NULL, a
 * new one whose far end is far_end. NULL on error.
 */
struct domain *domain_new(struct engine *engine, int vmid,
			  struct client *client, struct err *err);

/* The domain that has not ended, by vmid or pid; NULL: none. */
struct domain *domain_find(struct engine *engine, int vmid);
struct domain *domain_of_pid(struct engine *engine, int pid);

/* It has its ticket and address: whoever watches domains is told its vmid, and
 * what there is to say of it. */
void domain_announce(struct domain *domain, const char *text);

/* It exists as this process (pid > 0), which is watched from now on. */
void domain_has_pid(struct domain *domain, int pid);

/* It said that it is ready. */
void domain_ready(struct domain *domain);

/* It will not come up: killed, if there is something to kill, and ended. */
void domain_fail(struct domain *domain, const struct err *why);

/* Its parent reaped it. */
void domain_reaped(struct domain *domain, int status);

/* SIGTERM, and SIGKILL grace_ms later; 0: SIGKILL at once. waiter (client
 * may be NULL) is answered DONE at the end. */
void domain_stop(struct domain *domain, int grace_ms, struct client *client,
		 int64_t op);

/* One that is told to end has done what it had to: SIGKILL comes within
 * rest_ms. Harmless for one that is not. */
void domain_hurry(struct domain *domain, int rest_ms);

/* How often a client waits for its end. */
int domain_count_waiters(const struct domain *domain,
			 const struct client *client);

/* Its client has gone. */
void domain_unlink(struct domain *domain);

/* A client has gone: nobody waits for it. */
void domain_forget_client(struct engine *engine, const struct client *client);

/* The address at which it is reached; "" while it has none. */
const char *domain_ip(const struct domain *domain);

/* "8001=127.64.0.1:8001 ..." into text. */
void domain_endpoints(const struct domain *domain, char *text, size_t size);

/* Ends all but the owner's own within grace_ms; the engine's run is over with
 * the last. */
void domain_end_all(struct engine *engine, int grace_ms);

/* Kills all at once; for the engine's end. */
void domain_kill_all(struct engine *engine);

#endif
