/*
 * gc - what a process holds of the platform: its channel to the engine, what
 * is under way on it, and its children
 *
 * Only the data; who works on which part:
 *
 *	gc_guest, lua_*			the borders to C and Lua programs
 *	   '--> guest_call		asks the engine for something
 *	          '--> guest		starts, turns, reads messages
 *	                 |--> guest_fork	forks where it is asked to
 *	                 |--> guest_agent	in a VM: the way to its agent
 *	                 '--> guest_op, guest_child, guest_metric
 */
#ifndef GC_GUEST_GC_H
#define GC_GUEST_GC_H

#include <sys/types.h>

#include "base/err.h"
#include "base/loop.h"
#include "guest/metric.h"
#include "repair/uv.h"
#include "wire/channel.h"

struct guest_op;
struct guest_child;
struct guest_fork;

/* Of a program in a VM: who it speaks with is the VM's agent. */
struct guest_agent {
	int used;      /* it is: the other fields mean something */
	int may_watch; /* this VM may scale itself */
	int watches;   /* and it is this program that does */
	int became;    /* this VM is a clone now, which is to be acted on */
	int64_t op;    /* of this program's CLONE that made it, else 0 */
};

struct gc {
	struct loop loop;
	struct channel channel;
	int role; /* enum wire_role */
	int vmid;
	pid_t pid;		  /* of the process that opened it */
	int welcome;		  /* the engine knows this process */
	struct guest_agent agent; /* in a VM */
	char name[64];		  /* of the service, for the engine */
	char address[16];	  /* of a clone, "" else */
	struct guest_op *ops;	  /* not answered yet */
	int64_t last_op;
	struct guest_child *children; /* forked, or adopted, not reaped */
	struct guest_fork *forks, **forks_end; /* asked for, not made */
	struct loop_timer fork_timer;  /* wakes up for what is left of them */
	struct loop_timer ready_timer; /* a program that is to listen */
	int ready_port;
	int64_t started_ms;
	int lifeline;		      /* armed; -1: none */
	struct guest_metrics metrics; /* that this program has told */
	struct repair_uv *uv;	      /* NULL: no libuv in this program */
	struct err uv_fault;	      /* there is one, but: told at a clone */
	struct err fault;	      /* why the engine said it cannot work */
};

#endif
