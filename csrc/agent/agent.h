/*
 * agent - what a VM does when the engine boots, snapshots and clones it
 *
 *	BOOTING    until the first IDENTITY; nothing is known of this VM
 *	RUNNING    programs are served
 *	PREPARING  PREPARE came: the pre-clone hook runs, programs go on
 *	FROZEN     PREPARED was said: all programs stand still, and nothing is
 *	           said until IDENTITY comes. The snapshot is made in here
 *	BECOMING   IDENTITY has come, with another vmid: this is a clone, and
 *	           its post-clone hook runs
 *
 *	BOOTING --IDENTITY--> RUNNING --PREPARE--> PREPARING --> FROZEN
 *	RUNNING <--it failed, or IDENTITY: too late-- PREPARING
 *	RUNNING <--IDENTITY: the source-- FROZEN
 *	RUNNING <--READY-- BECOMING <--IDENTITY: a clone-- FROZEN
 *
 * In a clone, the machine becomes another (machine.h); then each program is
 * told, by what it reads first when it goes on; post-clone; READY; and only
 * then programs go on, who would have the CPU. Where a step fails, READY says
 * so and all stays frozen: the engine ends that clone. A post-clone that fails
 * is told, too, but the clone lives, as the engine has it with processes.
 * GC_TICKET is empty for hooks of a VM, which is not told of tickets.
 *
 * Without a port the agent looks for one, for GRIDCENTRIC_PORT_WAIT seconds
 * (30), then it ends; also where the one it had has ended.
 */
#ifndef GC_AGENT_AGENT_H
#define GC_AGENT_AGENT_H

#include "agent/child.h"
#include "agent/freezer.h"
#include "agent/machine.h"
#include "agent/programs.h"
#include "base/hooks.h"
#include "wire/channel.h"

struct agent_options {
	const char *port_name, *port_path; /* the path may be NULL: port.h */
	const char *socket;		   /* for programs */
	char *const *argv; /* of the program; argv[0] NULL: none */
};

enum agent_state {
	AGENT_BOOTING,
	AGENT_RUNNING,
	AGENT_PREPARING,
	AGENT_FROZEN,
	AGENT_BECOMING,
};

struct agent {
	struct loop loop;
	struct agent_options options;
	struct channel engine;
	struct programs programs;
	struct freezer freezer;
	struct hooks hooks;
	struct hook_run *pre_clone; /* while PREPARING; else NULL */
	struct child child;
	struct machine machine;
	int has_post_clone; /* a hook, when PREPARE came */
	enum agent_state state;
	int64_t snapshot; /* that is being prepared, or was */
	int vmid, port;	  /* as IDENTITY told */
	char address[16]; /* of the last card, without its prefix */
	int said_ready;	  /* or it is not to be said */
	int64_t since_ms; /* the start of what a timer waits for */
	struct loop_timer ready_timer; /* looks whether the program listens */
	struct loop_timer port_timer;
	int over, status; /* the process is to end, and its exit status */
};

/* Starts; agent: zeroed. Returns 0 or a negative code. */
int agent_start(struct agent *agent, const struct agent_options *options,
		struct err *err);

/* Turns the loop once. agent->over: that was the last time. */
void agent_turn(struct agent *agent);

/* SIGTERM or the like has come: it is the program's, else the end. */
void agent_signal(struct agent *agent, int signal);

/* The end: lets programs go on, and removes the socket. */
void agent_stop(struct agent *agent);

#endif
