/*
 * programs - serves the programs of the VM that use the guest API
 *
 * Programs connect to a unix socket. To each of them the agent is the engine; to
 * the engine the agent is one domain. On the way to the engine an operation gets
 * a number that is unique among all programs; the answer gets back the
 * program's own number. A program is not trusted: a message that it may not
 * send ends its connection, and nothing else.
 *
 *	from a program			what the agent does
 *	HELLO				answers WELCOME
 *	TICKET_*, CLONE, LIST, KILL,	renumbers it and passes it on
 *	STOP
 *	METRIC, WATCH			passes it on
 *	EVENT, REPORT, ANSWER, BYE	passes it on if this is the watcher: the
 *					last program that sent WATCH
 *	anything else			closes the connection
 */
#ifndef GC_AGENT_PROGRAMS_H
#define GC_AGENT_PROGRAMS_H

#include "base/err.h"
#include "wire/channel.h"

#define PROGRAMS_MAX	 64   /* connections */
#define PROGRAMS_MAX_OPS 1024 /* unanswered operations of one program */
/* While more bytes than this wait for the engine, no program is read: a program
 * that floods has to wait, and harms nobody. */
#define PROGRAMS_MAX_UNSENT (256 * 1024)

struct program;

struct programs {
	struct loop *loop;
	struct channel *engine;
	struct loop_source listener;
	struct program *first;
	int n;
	struct program *watcher; /* NULL: none */
	int64_t last_op;	 /* last number given to an operation */
	int held;		 /* by programs_hold() */
	int full;		 /* too much waits for the engine */
	int vmid;
	char name[65]; /* of this host, for WELCOME */
	int may_watch; /* this VM scales itself */
};

/*
 * Listens at path and makes its folder if it is missing; programs are held at
 * first. engine, the agent's channel, must outlive them, and must be open
 * whenever they are not held. Returns 0 or a negative code.
 */
int programs_listen(struct programs *programs, struct loop *loop,
		    struct channel *engine, const char *path, struct err *err);

/* Stops reading from programs (1), or goes on (0). */
void programs_hold(struct programs *programs, int held);

/* Passes on an answer of the engine, whose first field is the operation. */
void programs_answer(struct programs *programs, struct wire_msg *msg);

/* Passes a message on to the watcher. Without one, a COMMAND is answered with an
 * error. */
void programs_tell_watcher(struct programs *programs, struct wire_msg *msg);

/*
 * Tells all programs that this VM is a clone now, with another vmid and name.
 * op: the engine's number of the CLONE that made it. All other operations are
 * forgotten, and there is no watcher any more.
 */
void programs_become(struct programs *programs, int64_t op,
		     const char *address);

/* Closes all connections. */
void programs_drop(struct programs *programs);

/* Called after each turn of the loop: reads from programs if little enough waits
 * for the engine. */
void programs_flow(struct programs *programs);

#endif
