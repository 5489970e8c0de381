/*
 * repair - makes a forked process a sound one
 *
 * fork() gives the clone every descriptor of the master, and most of them
 * belong to the master alone. This is the one list of what is inherited and
 * what becomes of it:
 *
 *	host-only (the core's own: channel, relays, ...)  closed
 *	stdin: a pipe or socket                   the dead TCP end
 *	  ... anything else                       /dev/null
 *	stdout, stderr                            kept
 *	TCP and UDP listeners                     the clone's own, made by the
 *	                                          engine at its address
 *	  ... unknown to the engine               a listener nobody knows
 *	connected or connecting TCP, unix streams one dead TCP end for all: end
 *	                                          of file, then EPIPE
 *	fresh TCP, UDP and unix datagram sockets  fresh ones
 *	unix listeners                            a listener nobody knows
 *	pipes with both ends in this process      a new pipe
 *	pipes with one end elsewhere              the dead TCP end
 *	libuv's loop (repair/uv.h)                repaired
 *	SIGPIPE at its default                    ignored
 *	C random generators                       reseeded
 *	process group                             its own
 *	files, epoll sets, eventfds, timerfds     shared, as fork() leaves them
 *
 * The master looks at its descriptors once before a row of forks
 * (repair_plan), so that each clone only acts (repair_apply).
 */
#ifndef GC_REPAIR_REPAIR_H
#define GC_REPAIR_REPAIR_H

#include <sys/types.h>

#include "base/err.h"
#include "base/loop.h"

#define REPAIR_MAX_LISTENERS 16

/* A listening (or bound UDP) socket of the program. */
struct repair_listener {
	int fd; /* the program's; in repair_apply: the clone's own */
	int family, type, port, backlog;
};

enum repair_action {
	REPAIR_LISTENER, /* the engine's, by family, type and port */
	REPAIR_DEAD,	 /* the dead TCP end */
	REPAIR_FRESH,	 /* a new socket of the kind */
	REPAIR_INERT,	 /* a listener that nobody knows */
	REPAIR_PIPE,	 /* both ends of a new pipe */
};

struct repair_item {
	int fd;
	enum repair_action action;
	int family, type, port; /* of a socket */
	ino_t inode;		/* of a pipe, else 0 */
	int writes;		/* of a pipe: it is the write end */
};

struct repair_plan {
	struct repair_item *items;
	int nitems, cap;
	int *host_only; /* sorted */
	int nhost_only;
};

/*
 * Looks at all descriptors of this process. Those of the loop's sources (but
 * not epfd) and of `extra` are host-only. On error nothing is held.
 */
int repair_plan(struct repair_plan *plan, const struct loop *loop,
		const int *extra, int nextra, struct err *err);
void repair_plan_free(struct repair_plan *plan);

/*
 * The program's listeners, those of the loop's sources left out, one for each
 * family, type and port. Sets SO_REUSEPORT on all, so that clones can have
 * theirs beside. Fills at most max and returns how many; -E2BIG when there are
 * more.
 */
int repair_listeners(const struct loop *loop, struct repair_listener *found,
		     int max, struct err *err);

/*
 * In the child: carries out the plan. `own` are the sockets to put under the
 * listeners' descriptors (closed after); `keep` those of the host-only
 * descriptors that are not to be closed.
 */
int repair_apply(struct repair_plan *plan, const struct repair_listener *own,
		 int nown, const int *keep, int nkeep, struct err *err);

/* A dead connection does not end this process, where it was left to. */
void repair_ignore_sigpipe(void);

/* What a process needs that was cloned with the whole VM around it: its
 * descriptors are its own, but SIGPIPE and the C random generators are as
 * above. */
void repair_in_vm(void);

/* Arms the lifeline: this process gets SIGKILL when the far end of the pipe
 * closes. Returns the armed descriptor, or a negative code. */
int repair_lifeline(int pipe_fd, struct err *err);

#endif
