/*
 * address - leases of loopback addresses with listening sockets on them
 *
 * An engine claims one block 127.N.0.0/16 (N from 64 on; an abstract socket
 * "\0gridcentric/127.N" is the claim, gone with the process) and leases one
 * address of it to each clone. The listening sockets are made before the
 * clone exists, and a copy is kept here: while nobody else holds them, the
 * kernel would give connections for that address to a program that listens
 * on the wildcard address.
 *
 * A retired lease resets every connection at once. After
 * ADDRESS_QUARANTINE_MS its address may be leased again, so that their number
 * is bounded by the clones that live and those of the last minute.
 *
 * An address is leased again with new sockets: the old ones share their flags
 * and options with whatever the dead clone made of its copies.
 */
#ifndef GC_ENGINE_HOST_ADDRESS_H
#define GC_ENGINE_HOST_ADDRESS_H

#include "base/err.h"
#include "base/loop.h"

#define ADDRESS_MAX_LISTENERS 62 /* of one program: what FORK carries */
#define ADDRESS_QUARANTINE_MS 60000

/* A socket that a program listens on, as it told. */
struct listener {
	int family; /* AF_INET, AF_INET6 */
	int type;   /* SOCK_STREAM, SOCK_DGRAM */
	int port;
	int backlog; /* of a stream socket */
};

/* One socket of a lease: the engine's copy. */
struct lease_socket {
	struct loop_source source; /* watched only while retired */
	int fd;			   /* closed by the lease, not by source */
	struct listener is;
	struct lease *lease;
};

struct lease {
	char ip[16]; /* "127.64.0.1" */
	int nsockets;
	struct lease_socket sockets[ADDRESS_MAX_LISTENERS];
	int64_t retired_ms; /* loop_now(), 0: in use */
	struct addresses *addresses;
	struct lease *next;	 /* in the queue of retired ones */
	struct lease *next_made; /* in the list of all */
};

struct addresses {
	struct loop *loop;
	int claim;		       /* the abstract socket */
	int block;		       /* N of 127.N */
	int next;		       /* host number never leased so far */
	struct lease *made;	       /* all, whether retired or not */
	struct lease *oldest, *newest; /* retired */
	struct loop_timer resume;      /* after EMFILE at accept */
};

/* Claims a block. Errors: -EADDRINUSE when all are taken. */
int addresses_open(struct addresses *addresses, struct loop *loop,
		   struct err *err);

/* Closes all sockets and frees all leases. Not from inside a turn. */
void addresses_close(struct addresses *addresses);

/*
 * Leases an address with n sockets bound to it (stream ones listening), with
 * SO_REUSEADDR and SO_REUSEPORT, non-blocking and CLOEXEC, sockets[i] for
 * wanted[i]. An IPv6 one is bound to ::ffff:127.N.x.y. NULL on error; then
 * nothing is held. The error names address and port.
 */
struct lease *address_lease(struct addresses *addresses,
			    const struct listener *wanted, int n,
			    struct err *err);

/* The holder of the lease is dead: connections are reset from now on, also
 * those that wait to be accepted; datagrams are dropped. */
void address_retire(struct lease *lease);

#endif
