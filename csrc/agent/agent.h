/*
 * agent - what a VM does when the engine boots, snapshots and clones it
 *
 *	BOOTING    until the first IDENTITY: the VM does not know who it is
 *	RUNNING    programs are served
 *	PREPARING  PREPARE came: the pre-clone hook runs, programs go on
 *	FROZEN     PREPARED was said: all programs stand still, and the agent
 *	           says nothing until IDENTITY comes. The snapshot is made
 *	           in here
 *	BECOMING   IDENTITY came with another vmid: this is a clone, which
 *	           becomes another machine
 *
 *	BOOTING --IDENTITY, the time--> RUNNING --PREPARE--> PREPARING --> FROZEN
 *	RUNNING <--it failed, or IDENTITY: too late-- PREPARING
 *	RUNNING <--IDENTITY: the source-- FROZEN
 *	RUNNING <--all done-- BECOMING <--IDENTITY: a clone-- FROZEN
 *
 * The parts: become.h (IDENTITY), ready.h (the program, READY), leave.h (STOP).
 * GC_TICKET is empty for hooks of a VM, which is not told of tickets.
 *
 * Programs that use the agent are heard only while the engine can answer: not
 * before the VM knows who it is, not in a snapshot, and not while the port is
 * closed. What they say meanwhile waits in their sockets.
 *
 * Without a port the agent looks for one, for GRIDCENTRIC_PORT_WAIT seconds
 * (30), then it ends; also where the port that it had was closed.
 */
#ifndef GC_AGENT_AGENT_H
#define GC_AGENT_AGENT_H

#include "agent/child.h"
#include "agent/clock_sync.h"
#include "agent/freezer.h"
#include "agent/leave.h"
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
	struct leave leave;
	struct machine machine;
	struct clock_sync clock;
	enum agent_state state;
	int is_known; /* IDENTITY has come since the port was opened */
	int is_clone;
	int64_t snapshot;   /* that is being prepared, or was */
	int has_post_clone; /* a hook, when PREPARE came */
	int was_listening;  /* the program, when programs were frozen */
	int vmid, port;	    /* by the last IDENTITY */
	int64_t op;	    /* the CLONE that made this VM, 0: none */
	char address[16];   /* of the last card, without its prefix */
	/* READY (ready.c): */
	int has_told_ready;
	int owes_ready;	  /* it was told to a port that is closed */
	struct err ready; /* what was told */
	struct err note;  /* what a clone tells with its READY */
	int64_t since_ms; /* loop_now() when looking began */
	struct loop_timer ready_timer; /* looks whether the program listens */
	struct loop_timer port_timer;  /* looks for the port ... */
	int64_t port_since_ms;	       /* ... since loop_now() was that */
	int over, status; /* the process is to end, and its exit status */
};

/* Starts; agent: zeroed. Returns 0 or a negative code. */
int agent_start(struct agent *agent, const struct agent_options *options,
		struct err *err);

/* Turns the loop once. Not after agent->over is set. */
void agent_turn(struct agent *agent);

/* A signal came that ends the agent: the program gets it; without a program the
 * agent ends. */
void agent_signal(struct agent *agent, int signal);

/* The end: lets programs go on, and removes the socket. */
void agent_stop(struct agent *agent);

/* ---- for the parts of the agent ---------------------------------------- */

/* A line on the console. */
void agent_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The process ends after this turn. */
void agent_end(struct agent *agent, int status);

/* Where messages to the engine are written. The port must be open. */
struct wire_buf *agent_out(struct agent *agent);

/* Tells the engine that a program has ended, which the VM was there for. pid 0:
 * nothing is left in the VM that would need more time. */
void agent_tell_exit(struct agent *agent, int pid, int status);

/* Hears programs, or does not, as the state wants it. */
void agent_hold_programs(struct agent *agent);

/* The engine waits no longer for PREPARED. */
void agent_stop_preparing(struct agent *agent);

#endif
