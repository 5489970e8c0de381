/*
 * address - the loopback addresses of this machine that domains listen at
 *
 * An engine claims one block 127.N.0.0/16 (engine/net/block.h) and leases one
 * address of it to each clone. The listening sockets are made before the clone
 * exists, and a copy is kept here: while nobody else holds them, the kernel
 * would give connections for that address to a program that listens on the
 * wildcard address.
 *
 * A retired address resets every connection at once. After
 * ADDRESS_QUARANTINE_MS it may be leased again, so that the number of addresses
 * is bounded by the clones that live and those of the last minute. When the
 * engine is short of descriptors the oldest give up their sockets before that;
 * a client that still connects there may then reach the wildcard listener.
 *
 * An address is leased again with new sockets: the old ones share their flags
 * and options with whatever the dead clone made of its copies.
 */
#ifndef GC_ENGINE_HOST_ADDRESS_H
#define GC_ENGINE_HOST_ADDRESS_H

#include "engine/core/host.h"

#define ADDRESS_QUARANTINE_MS 60000

struct address {
	struct lease lease;
	struct address_watch { /* one for each socket of the lease */
		struct loop_source source; /* in use only while it is retired */
		struct address *address;
	} watches[MAX_LISTENERS];
	int64_t retired_ms; /* loop_now(), 0: it is leased */
	struct addresses *addresses;
	TAILQ_ENTRY(address) retired_link;
	SLIST_ENTRY(address) link; /* all of the block */
};

struct addresses {
	struct host *host;
	struct loop *loop;
	int claim; /* of the block; -1: closed */
	int block; /* N of 127.N */
	int next;  /* host number that was never leased */
	SLIST_HEAD(, address) all;
	TAILQ_HEAD(, address) retired; /* oldest first */
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

/* Closes sockets of the addresses that were retired first. Returns how many
 * descriptors that freed. */
int address_relieve(struct addresses *addresses);

/* Asserts what must hold between two turns. */
void address_check(const struct addresses *addresses);

#endif
