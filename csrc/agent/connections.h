/*
 * connections - the TCP connections and listeners of the VM
 *
 * In a clone, connections to other hosts belong to the master. They are
 * destroyed, as by `ss -K`: programs see ECONNABORTED instead of writing into
 * the master's stream. Both ends of a loopback connection were cloned, so these
 * live on, and so do listeners. This needs the kernel's modules inet_diag and
 * tcp_diag, built with INET_DIAG_DESTROY.
 */
#ifndef GC_AGENT_CONNECTIONS_H
#define GC_AGENT_CONNECTIONS_H

#include "base/err.h"
#include "netlink/netlink.h"

/* Opens a socket for requests; diag: zeroed. The kernel loads its modules now,
 * while there is time. Returns 0 or a negative code. */
int connections_open(struct netlink *diag, struct err *err);

/* Destroys the connections, IPv4 and IPv6. Returns their number, or a negative
 * code: some may be left then. */
int connections_destroy(struct netlink *diag, struct err *err);

enum listening {
	LISTENING_NOWHERE,
	LISTENING_LOOPBACK, /* on 127.0.0.1 or the like only */
	LISTENING,	    /* where other hosts reach it */
};

/* Whether something listens on the TCP port; with *port 0: on any, which is
 * stored there. */
enum listening connections_listening(int *port);

/* Fills inodes with those of the sockets that listen on the TCP port, at most
 * max. Returns how many. */
int connections_listeners(int port, unsigned long *inodes, int max);

#endif
