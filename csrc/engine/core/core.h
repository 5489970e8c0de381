/*
 * core - the engine's state, which all its parts share
 *
 * Which part knows which:
 *
 *	engine.c	opens everything; the only one that names a backend, a
 *	   |		scheduler or a host
 *	request/	what clients ask for
 *	   |
 *	core/		job --> clone --> domain --> client
 *	   |		          '-----> ticket
 *	state/		the folder, the records, the ledger
 *
 * Backends, schedulers and hosts are tables of functions that core/ calls; their
 * contracts are core/backend.h, core/scheduler.h and core/host.h. What happens
 * in core/ is reported upwards through struct engine_events.
 */
#ifndef GC_ENGINE_CORE_CORE_H
#define GC_ENGINE_CORE_CORE_H

#include <sys/queue.h>

#include "base/hooks.h"
#include "base/loop.h"
#include "engine/core/backend.h"
#include "engine/core/host.h"
#include "engine/core/lineage.h"
#include "engine/core/scheduler.h"
#include "engine/state/ledger.h"
#include "engine/state/state.h"

struct client;
struct domain;
struct job;
struct ticket;

LIST_HEAD(client_list, client);
TAILQ_HEAD(domain_list, domain);
LIST_HEAD(ticket_list, ticket);
TAILQ_HEAD(job_list, job);

/* What has happened, for the part above. */
struct engine_events {
	void (*message_received)(struct client *client, struct wire_msg *msg);
	void (*client_closed)(struct client *client);
	/* The domain is in a new state. text: why, "" where there is nothing to
	 * say. */
	void (*domain_changed)(struct domain *domain, const char *text);
	/* The scheduler granted (err->code 0) or denied the ticket. */
	void (*ticket_answered)(struct ticket *ticket, const struct err *err);
	void (*ticket_changed)(struct ticket *ticket);
	/* The scheduler has taken away a place of the ticket. */
	void (*place_lost)(struct ticket *ticket, int place, const char *why);
};

struct engine {
	struct loop loop;
	struct state state;
	char name[96]; /* NAME-PID */
	const struct engine_events *events;
	struct hooks hooks;
	struct ledger *ledger;
	struct scheduler scheduler;
	const struct backend_ops *const *backends; /* all; NULL ends the list */
	struct backend backend;			   /* the one in use */
	struct host_list hosts;
	struct host home; /* where the engine itself runs, and domain 0 */

	struct client_list clients; /* newest first */
	struct client *owner;	    /* NULL when it has gone */
	struct domain_list domains; /* that have not ended, by vmid */
	struct domain_list ended;   /* freed at the end of the turn */
	struct domain **by_vmid;    /* NULL where it has ended */
	int nby_vmid;		    /* entries of by_vmid */
	struct ticket_list tickets; /* newest first */
	struct job_list jobs;	    /* oldest first */
	struct lineage lineage;	    /* of all vmids so far */
	int last_vmid;
	int last_number; /* of images, and of commands passed on */

	/* what the backend says of its domains */
	int clone_cpus;	      /* CPUs of a clone, at least */
	int64_t clone_memory; /* bytes that a clone is expected to need */
	int program_port;     /* of an outside program; 0: none */
	int forwarded_port;   /* reached at that port instead; 0: not */
	int may_scale_itself; /* the agent of domain 0 may WATCH */

	struct loop_source control;	  /* the listening control socket */
	struct loop_timer control_resume; /* after EMFILE at accept */
	int is_inside;			  /* the owner is the program itself */
	int is_ending; /* BYE came: over with its last domain */
	int grace_ms;  /* for the domains, while it is ending */
	int is_over;   /* the loop stops */
	char *report;  /* the owner's last REPORT */
};

#endif
