/*
 * network - gives the VM's network cards their addresses
 *
 * Cards are the Ethernet interfaces on a bus, in the order of their places
 * there, which is the engine's; their names do not matter. Virtual interfaces
 * come after them, in the order in which they were made (a VM has none at
 * first).
 */
#ifndef GC_AGENT_NETWORK_H
#define GC_AGENT_NETWORK_H

#include "base/err.h"
#include "netlink/netlink.h"

#define NETWORK_MAX_CARDS 8

/* The settings of a card; "": leave it as it is. IPv4. */
struct network_card {
	char mac[18];	  /* "52:54:67:63:00:01" */
	char address[20]; /* "10.77.0.1/16" */
	char gateway[16];
};

/* The interface of a card. */
struct network_device {
	char name[16];
	int index;
	int has_ipv6; /* an address, such as the one made of its MAC */
};

/* Zeroed before network_open(). */
struct network {
	int sock;	      /* for settings */
	struct netlink route; /* for lists */
	int ndevices;
	struct network_device devices[NETWORK_MAX_CARDS];
	int n; /* cards that are set up, and their settings */
	struct network_card cards[NETWORK_MAX_CARDS];
};

/* Opens the socket for requests. Returns 0 or a negative code. */
int network_open(struct network *network, struct err *err);

/*
 * Finds the interfaces: before the first network_apply(), and before a snapshot,
 * so that a clone need not. network_apply() assumes that none is new since.
 * Returns 0 or a negative code.
 */
int network_look(struct network *network, struct err *err);

/*
 * Sets up the first n cards and the loopback interface. A card whose settings
 * have not changed is left alone. Neighbours and routes of an old MAC or address
 * are forgotten. Returns 0 or a negative code; -ENODEV: there are fewer cards.
 */
int network_apply(struct network *network, const struct network_card *cards,
		  int n, struct err *err);

#endif
