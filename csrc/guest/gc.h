/*
 * gc - what a process holds of the platform: its channel to the engine, the
 * operations under way on it, and its children
 *
 * Only the data. The files that work on it:
 *
 *	guest/api, lua/			the borders to C and Lua programs
 *	   '--> guest/call		asks the engine for something
 *	          '--> guest/guest	starts, turns, reads messages
 *	                 |--> guest/fork	forks when it is asked to
 *	                 |--> guest/agent	in a VM: the way to its agent
 *	                 '--> guest/op, guest/child, guest/metric
 */
#ifndef GC_GUEST_GC_H
#define GC_GUEST_GC_H

#include <sys/queue.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/loop.h"
#include "guest/metric.h"
#include "repair/repair.h"
#include "wire/channel.h"

struct guest_op;
struct guest_child;
struct guest_fork;

/* Of a program in a VM, which speaks with the VM's agent instead of an
 * engine. */
struct guest_agent {
	int is_used;   /* this is one; else all other fields are 0 */
	int may_watch; /* this VM may scale itself */
	int watches;   /* and this program is the one that does it */
	int became;    /* this VM is a clone now: to be acted on */
	int64_t op;    /* of this program's CLONE that made it, else 0 */
};

struct gc {
	struct loop loop;
	struct channel channel;
	int role; /* enum wire_role */
	int vmid;
	pid_t pid;		  /* of the process that opened it */
	int is_welcome;		  /* the engine has answered HELLO */
	struct guest_agent agent; /* in a VM */
	char name[64];		  /* of the service, for the engine */
	int output[2];		  /* engine's stdout, stderr; -1: as here */
	char address[16];	  /* of a clone, "" else */
	/* operations that are not answered yet, the oldest first */
	TAILQ_HEAD(guest_ops, guest_op) ops;
	int64_t last_op; /* number of the newest one */
	/* clones that were forked here, or adopted, and are not reaped */
	LIST_HEAD(guest_children, guest_child) children;
	int is_subreaper; /* it was made one here, for adopted clones */
	/* forks that the engine asked for and that are not made yet */
	TAILQ_HEAD(guest_forks, guest_fork) forks;
	struct loop_timer fork_timer;  /* makes the next turn come for them */
	struct loop_timer ready_timer; /* until the program listens */
	int ready_port;		       /* on this port; 0: not awaited */
	int64_t started_ms;	       /* loop_now() when that began */
	int lifeline;		       /* descriptor, armed; -1: none */
	struct guest_metrics metrics;  /* that this program has reported */
	struct repair_step *steps;     /* a list, see guest_add_step() */
	/* Asks the program, right before forks, whether it may be cloned now.
	 * Returns 0, or a negative code and the reason. NULL: it may. */
	int (*before_clone)(void *arg, struct err *err);
	void *before_clone_arg;
	struct err fault; /* why the engine says it cannot work */
};

#endif
