/*
 * engine/core/core - what the parts of the engine share: its state, and how what
 * happens below is told upwards
 */
#ifndef GC_ENGINE_CORE_CORE_H
#define GC_ENGINE_CORE_CORE_H

#include <sys/resource.h>

#include "base/hooks.h"
#include "base/loop.h"
#include "engine/core/backend.h"
#include "engine/core/lineage.h"
#include "engine/core/scheduler.h"
#include "engine/host/address.h"
#include "engine/state/ledger.h"
#include "engine/state/state.h"

struct client;
struct domain;
struct job;
struct ticket;

struct engine {
	struct loop loop;
	struct state state;
	char name[96]; /* NAME-PID */
	struct addresses addresses;
	struct hooks hooks;
	struct ledger *ledger;
	struct scheduler scheduler;
	struct backend backend;
	int lifeline[2];	    /* all domains die when [1] is closed */
	struct loop_source control; /* the listening control socket */
	struct loop_timer control_resume; /* after EMFILE at accept */
	struct client *clients;
	struct client *owner;	/* NULL when it has gone */
	struct domain *domains; /* those that have not ended */
	struct ticket *tickets; /* newest first */
	struct job *jobs;	/* clone operations, oldest first */
	int last_vmid;
	struct lineage lineage;	   /* of all vmids so far */
	int clone_cpus;		   /* that each clone takes, at least */
	int64_t clone_memory;	   /* bytes that each is expected to take */
	int last_number;	   /* of images, and commands passed on */
	struct rlimit given_files; /* RLIMIT_NOFILE before it was raised */
	int program_port;	   /* of an outside program, 0: none */
	int host_port;		   /* at which it is reached, if it is a VM's */
	int ending;		   /* BYE came: it ends with its last domain */
	int vm_scales_itself;	   /* the program in the VM that is domain 0 */
	int inside;		   /* its owner is the program itself */
	int grace_ms;		   /* for the domains, while it is ending */
	int over;		   /* the loop is to stop */
	char *report;		   /* the owner's last REPORT */
	/* set by engine.c; what client.c, domain.c and ticket.c tell: */
	void (*client_said)(struct client *client, struct wire_msg *msg);
	void (*client_gone)(struct client *client);
	void (*domain_changed)(struct domain *domain, const char *text);
	void (*ticket_answered)(struct ticket *ticket, struct err *err);
	void (*ticket_changed)(struct ticket *ticket);
};

#endif
