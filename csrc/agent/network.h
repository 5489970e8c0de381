/*
 * network - gives the VM's network cards their addresses
 *
 * The cards are those of the kernel's Ethernet interfaces that stand on a bus,
 * in the order of their places there, as the engine put them; whatever their
 * names. Behind them come the virtual ones (of which a VM has none of its
 * own), in the order they were made.
 */
#ifndef GC_AGENT_NETWORK_H
#define GC_AGENT_NETWORK_H

#include "base/err.h"
#include "netlink/netlink.h"

#define NETWORK_MAX_CARDS 8

/* What a card is to have; "": that stays as it is. IPv4. */
struct network_card {
	char mac[18];	  /* "52:54:67:63:00:01" */
	char address[20]; /* "10.77.0.1/16" */
	char gateway[16];
};

/* The interface of a card. */
struct network_device {
	char name[16];
	int index;
	int has_ipv6; /* an address, at least one made of its MAC */
};

/* Zeroed to start with, but for network_open(). */
struct network {
	int sock;	      /* for settings */
	struct netlink route; /* for lists */
	int ndevices;
	struct network_device devices[NETWORK_MAX_CARDS];
	int n; /* cards that were set up, and how */
	struct network_card cards[NETWORK_MAX_CARDS];
};

int network_open(struct network *network, struct err *err);

/*
 * Looks which interfaces there are: before the first network_apply(), and
 * before a snapshot, so that a clone has not to. Later ones take it that none
 * is new. Returns 0 or a negative code, as all of these.
 */
int network_look(struct network *network, struct err *err);

/*
 * Sets up the first n cards and the loopback interface. Nothing is done for a
 * card that is to have what it was given last. Neighbours and routes of an old
 * MAC or address are forgotten. -ENODEV where there are fewer cards.
 */
int network_apply(struct network *network, const struct network_card *cards,
		  int n, struct err *err);

#endif
