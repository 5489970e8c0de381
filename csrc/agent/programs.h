/*
 * programs - the programs of the VM that use the guest API, at a unix socket
 *
 * To each of them the agent is the engine; to the engine the agent is one
 * domain. Operations get numbers that are no other program's on their way, and
 * their own on the way back. A program is not trusted: what it may not say
 * ends its connection, and only that.
 *
 *	from a program			what becomes of it
 *	HELLO				answered: WELCOME
 *	TICKET_*, CLONE, LIST, KILL,	renumbered and passed on
 *	STOP
 *	METRIC, WATCH			passed on
 *	EVENT, REPORT, ANSWER, BYE	passed on for the one that watches: the
 *					last program that sent WATCH
 *	anything else			the end
 */
#ifndef GC_AGENT_PROGRAMS_H
#define GC_AGENT_PROGRAMS_H

#include "base/err.h"
#include "wire/channel.h"

#define PROGRAMS_MAX	 64   /* connections */
#define PROGRAMS_MAX_OPS 1024 /* operations of one that are not answered */
/* Bytes not sent yet to the engine, from which on programs are not listened
 * to: one that floods waits, and harms nobody. */
#define PROGRAMS_MAX_UNSENT (256 * 1024)

struct program;

struct programs {
	struct loop *loop;
	struct channel *engine;
	struct loop_source listener;
	struct program *first;
	int n;
	struct program *watcher; /* NULL: nobody watches */
	int64_t last_op;	 /* number given to the engine */
	int held;		 /* by programs_hold() */
	int full;		 /* the engine has not taken enough yet */
	int vmid;
	char name[65]; /* of this host, for WELCOME */
	int may_watch; /* this VM scales itself */
};

/*
 * Listens at path, whose folder is made where it is missing; programs are
 * held. The agent's channel to the engine has to outlive them. Returns 0 or a
 * negative code.
 */
int programs_listen(struct programs *programs, struct loop *loop,
		    struct channel *engine, const char *path, struct err *err);

/* Reads nothing from them (1), or goes on (0). */
void programs_hold(struct programs *programs, int held);

/* An answer of the engine: its first field is the operation. */
void programs_answer(struct programs *programs, struct wire_msg *msg);

/* For the one that watches. A COMMAND that nobody is there for is answered. */
void programs_tell_watcher(struct programs *programs, struct wire_msg *msg);

/*
 * This VM is a clone now, and has another vmid and name: all are told.
 * op: the number, as the engine knows it, of the CLONE that made it; what else
 * was under way is forgotten, and nobody watches any more.
 */
void programs_become(struct programs *programs, int64_t op,
		     const char *address);

/* The engine has ended: so do they. */
void programs_drop(struct programs *programs);

/* After each turn of the loop: listens to them as the engine takes it. */
void programs_flow(struct programs *programs);

#endif
