/*
 * host - a machine on which domains run: addresses, processes, an end
 *
 * A const table of functions. A placement names its host; the domain that is
 * made at that placement has its address and its process there:
 *
 *	lease()		an address for the domain, with listening sockets
 *	start()		its process, or watch(), where something else made it
 *	kill()		a signal for it
 *	process->exited()	the process has ended: the engine calls forget()
 *	retire()	nobody is to reach that address any more
 *
 * Rules: exited() is called once for each process, from the loop, never from
 * inside a call. A host that loses contact with its machine calls it with a
 * status of -1 for each process there. What concerns a dead host returns an
 * error or does nothing; no function waits.
 *
 * To add one: a file host/NAME.c with a const struct host_ops, host_open() for
 * it in engine.c, and a line in spec/engine/host_contract_spec.lua.
 */
#ifndef GC_ENGINE_CORE_HOST_H
#define GC_ENGINE_CORE_HOST_H

#include <stdint.h>
#include <sys/queue.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/process.h"
#include "engine/core/listener.h"

/* The machine that the engine runs on; placements of scheduler_local name it. */
#define HOST_LOCAL "localhost"

/* An address, and a socket for each port that its domain is to listen on. */
struct lease {
	struct host *host;
	char ip[46]; /* as text, IPv4 or IPv6 */
	int nsockets;
	struct lease_socket {
		struct listener is;
		int fd; /* the engine's copy; -1 where the host is elsewhere */
	} sockets[MAX_LISTENERS];
};

/* A process at a host, embedded in its owner. */
struct host_process {
	struct host *host; /* NULL: there is none */
	int pid;	   /* its number at that host */
	int status;	   /* wait status once it has ended; -1: not known */
	int has_ended;
	void (*exited)(struct host_process *process);
	struct loop_source watch; /* the host's own */
};

struct host {
	const struct host_ops *ops;
	struct loop *loop;
	char name[64]; /* as placements have it */
	int number;    /* N of 127.N: no other engine of the machine has it */
	int claim;     /* the host's descriptor; while a copy of it is open, no
		     * other engine gets that number */
	void *data;    /* the host's own */
	LIST_ENTRY(host) link;
};

LIST_HEAD(host_list, host);

struct host_ops {
	/* name, loop and ops are filled in. Returns 0 or a negative code. */
	int (*open)(struct host *host, struct err *err);
	/* Frees all leases. Not from inside a turn. */
	void (*close)(struct host *host);
	/* Makes a descriptor for one process, which dies with the engine while it
	 * holds that. Returns it, the caller's, or a negated errno. */
	int (*open_lifeline)(struct host *host);
	/* Ends all processes that hold one. */
	void (*cut_lifelines)(struct host *host);
	/* Leases an address with n sockets, sockets[i] for wanted[i]. NULL on
	 * error: nothing is held then; err names address and port. */
	struct lease *(*lease)(struct host *host, const struct listener *wanted,
			       int n, struct err *err);
	/* The lease ends. Connections to it are reset from now on, also those
	 * that wait to be accepted. */
	void (*retire)(struct lease *lease);
	/* Starts a process and watches it. process->exited is set. Returns 0
	 * or a negated errno: there is no process then. */
	int (*start)(struct host *host, struct host_process *process,
		     const struct process_spec *spec);
	/* Watches a process that exists there. Returns 0; -ESRCH where there is
	 * none of that number; or another negated errno. */
	int (*watch)(struct host *host, struct host_process *process, int pid);
	/* The number of the parent of a watched process, or a negated errno. */
	int (*parent_of)(struct host *host, const struct host_process *process);
	/* Sends a signal to a watched process. */
	void (*kill)(struct host_process *process, int signal);
	/* Stores the status of a watched process that has ended, if it has
	 * become known by now. */
	void (*reap)(struct host_process *process);
	/* The process is not watched any more: process->host is NULL and its
	 * pid 0. Its memory is in use until the end of the turn. */
	void (*forget)(struct host_process *process);
	/* Domains leave processes behind ("cmd &"), which become the engine's
	 * children there: from now on, those that is_watched() does not know are
	 * reaped. Returns 0 or a negative code. */
	int (*reap_orphans)(struct host *host,
			    int (*is_watched)(const void *owner, int pid),
			    const void *owner, struct err *err);
	/* Descriptors have run out in the engine: gives back some that the host
	 * could do without. Returns how many. */
	int (*relieve)(struct host *host);
	/* Asserts what must hold between two turns. */
	void (*check)(const struct host *host);
};

/* Opens a host and adds it to the list. Returns 0 or a negative code. */
int host_open(struct host *host, struct host_list *hosts,
	      const struct host_ops *ops, const char *name, struct loop *loop,
	      struct err *err);

/* Closes it, if it was opened. */
void host_close(struct host *host);

/* The host of that name, NULL: there is none. */
struct host *host_find(const struct host_list *hosts, const char *name);

/* Asks all hosts to give back descriptors, where `code` says that there are
 * none left. Returns 1 when what failed is worth another try. */
int host_relieve(const struct host_list *hosts, int code);

/* Sends the signal, if there is a process that is watched. */
void host_kill(struct host_process *process, int signal);

extern const struct host_ops host_local;

#endif
