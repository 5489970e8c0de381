/*
 * repair - makes a forked process a sound one
 *
 * fork() gives the clone every descriptor of the master, but most of them
 * belong to the master alone. Each keeps its number in the clone, so that no
 * object of the program loses its descriptor to another, and its CLOEXEC flag.
 * Sockets and pipes that are replaced keep their flags and options as well
 * (repair/options.h). This is the one list of what is inherited and what
 * becomes of it:
 *
 *	host-only (the core's own: channel, relays, ...)  closed
 *	stdin: a pipe, socket or terminal         a silent input: reading waits
 *	  ... anything else                       /dev/null
 *	stdout, stderr                            kept
 *	other terminals that the program reads    a silent input
 *	TCP listeners, UDP sockets that were      the clone's own, made by the
 *	  bound on purpose                        engine at its address
 *	  ... unknown to the engine               a listener that nobody knows
 *	UDP sockets of clients                    fresh ones, unbound, connected
 *	                                          where the original was
 *	connected or connecting TCP, unix streams a dead TCP end: end of file,
 *	                                          then EPIPE
 *	fresh TCP and unix datagram sockets       fresh ones
 *	unix listeners                            a listener that nobody knows
 *	pipes with both ends in this process      a new pipe
 *	pipes with one end elsewhere              a dead TCP end
 *	files open for reading                    opened again: an offset of
 *	                                          their own
 *	files and folders with locks of flock()   opened again: without the lock
 *	  or OFD locks
 *	  ... that may not be opened again        a copy in memory
 *	other files, folders, epoll sets, ...     shared, as fork() leaves them
 *	SIGPIPE at its default                    caught and dropped; programs
 *	                                          that are started get the default
 *	SIGTTIN, SIGTTOU at their default         ignored
 *	C random generators                       reseeded
 *	process group                             its own
 *	what a step repairs (struct repair_step)  libuv's loop, for example
 *
 * The master looks at its descriptors once before a row of forks
 * (repair_plan), so that each clone only acts (repair_apply).
 */
#ifndef GC_REPAIR_REPAIR_H
#define GC_REPAIR_REPAIR_H

#include <sys/types.h>

#include "base/err.h"
#include "base/loop.h"

/* A listening TCP socket, or a UDP socket that was bound on purpose. */
struct repair_listener {
	int fd; /* the program's; in repair_apply(): the clone's own */
	int family, type, port;
	int backlog; /* of a TCP socket */
};

enum repair_action {
	REPAIR_LISTENER, /* the engine's socket, by family, type and port */
	REPAIR_DEAD,	 /* a dead TCP end */
	REPAIR_FRESH,	 /* a new socket of the same kind */
	REPAIR_INERT,	 /* a listener that nobody knows */
	REPAIR_PIPE,	 /* both ends of a new pipe */
	REPAIR_SILENT,	 /* an input on which nothing ever comes */
	REPAIR_REOPEN,	 /* the same file, opened again */
};

/* One descriptor and what becomes of it. */
struct repair_item {
	int fd;
	int fd_flags; /* as fcntl(F_GETFD) has them */
	int status;   /* as fcntl(F_GETFL) has them */
	enum repair_action action;
	int family, type, port;	  /* of a socket; type -1: it is none */
	int options;		  /* index in the plan, of a socket */
	dev_t dev;		  /* of a pipe or file */
	ino_t inode;		  /* of a pipe or file, else 0 */
	int is_folder, is_locked; /* of a file */
};

struct repair_plan {
	struct repair_item *items; /* pipes and files by inode, sockets first */
	int nitems, items_cap;
	struct socket_options **options; /* each set that occurs */
	int noptions, options_cap;
	int *host_only; /* sorted */
	int nhost_only;
	pid_t pid; /* of the process that was looked at */
};

/*
 * What a language runtime or library needs besides its descriptors. To add
 * one: embed this struct in yours, fill it, and hand it to guest_add_step(); see
 * repair/uv.c.
 */
struct repair_step {
	const char *name; /* for errors: "libuv" */
	/* In the master: may this process be cloned? Returns 0, or a negative
	 * code and the reason. NULL: always. */
	int (*check)(struct repair_step *step, struct err *err);
	/* In the clone, once its descriptors are repaired. Returns 0 or a
	 * negative code. */
	int (*apply)(struct repair_step *step, struct err *err);
	struct repair_step *next; /* set by the list */
};

/* Runs the checks of all steps in turn. Returns 0 or the first failure. */
int repair_check(struct repair_step *steps, struct err *err);

/*
 * Looks at all descriptors of this process. Those of the loop's sources (but
 * not epfd) and the nextra in `extra` are host-only. Returns 0 or a negative
 * code; nothing is held then. Free the plan with repair_plan_free().
 */
int repair_plan(struct repair_plan *plan, const struct loop *loop,
		const int *extra, int nextra, struct err *err);
void repair_plan_free(struct repair_plan *plan);

/*
 * Finds the program's listeners, without those of the loop's sources, one for
 * each family, type and port, and sets SO_REUSEPORT on all, so that clones can
 * have theirs beside. Returns how many there are and fills *found, which the
 * caller frees; or a negative code.
 */
int repair_listeners(const struct loop *loop, struct repair_listener **found,
		     struct err *err);

/*
 * In the clone: carries out the plan, then the steps. `own` are the nown
 * sockets to put under the listeners' descriptors, closed afterwards; `keep`
 * the nkeep host-only descriptors, besides these, that stay open. Returns 0
 * or a negative code: this process must end then.
 */
int repair_apply(struct repair_plan *plan, const struct repair_listener *own,
		 int nown, const int *keep, int nkeep, struct err *err);

/* In the clone, after repair_apply(): runs all steps. Returns 0 or the first
 * failure. */
int repair_apply_steps(struct repair_step *steps, struct err *err);

/* In the clone: signals, and the C random generators. */
void repair_process(void);

/* Lets writes to a dead connection fail with EPIPE where SIGPIPE would end
 * this process. Programs that it starts get the default action again. */
void repair_catch_sigpipe(void);

/* Repairs a process that was cloned with the whole VM around it: its
 * descriptors are its own, but SIGPIPE and the C random generators are
 * treated as above. */
void repair_in_vm(void);

/*
 * Before a fork: writes out what stdio holds back, or each clone would write
 * it again. A stream that another thread has locked is left out, since that
 * thread may wait for ever, in a read.
 */
void repair_flush_stdio(void);

/* Arms the lifeline: this process gets SIGKILL when the far end of the pipe
 * closes. The descriptor must refer to an open file of its own, since its
 * owner and signal are the file's. Returns 0 or a negative code. */
int repair_arm_lifeline(int pipe_fd, struct err *err);

#endif
