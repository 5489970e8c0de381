/*
 * tap - cards of VMs on a bridge of the engine, where it has CAP_NET_ADMIN
 *
 *	bridge_open(&bridge, addresses.block, &err);
 *	tap_open(&bridge, vmid, &tap, &err);
 *	tap_plug(&bridge, &tap, &err);
 *	... QEMU inherits tap.fd: -netdev tap,id=lan,fd=N ...
 *	... tap.mac, tap.address and tap.gateway go to the guest ...
 *	tap_close(&bridge, &tap);
 *	bridge_close(&bridge);
 *
 * Names and addresses follow from the engine's block 127.N, so that engines of
 * one machine do not meet: the bridge is gcN, a tap on it gcNvVMID, and they
 * have the N-th /20 of 10.112.0.0/12, which is 10.(112 + N / 16).(N % 16 * 16).0
 * (N is 64 to 254: 10.116.0.0 to 10.127.239.255). Its first address is the
 * bridge's, the gateway; the others are leased to the VMs, the one that has
 * rested longest first. The MAC is 52:54:68:nn:hh:ll, of N and of the address's
 * number in the /20. A machine that is part of a network with such addresses
 * cannot use taps.
 *
 * From the host a VM is reached at its address; from a VM, whatever on the
 * host listens on all addresses, and the VMs beside it. Routes from there to
 * anywhere else (forwarding, NAT), and filters, are the administrator's.
 *
 * A tap goes with its last descriptor. A bridge does not: one that an engine
 * left behind when it was killed is removed by the next engine of the same
 * network namespace that opens one. Whether its engine is alive is told by the
 * claim on the block (see address.h), which must be held from before
 * bridge_open() until after bridge_close().
 */
#ifndef GC_ENGINE_NET_TAP_H
#define GC_ENGINE_NET_TAP_H

#include <net/if.h>

#include "base/err.h"
#include "netlink/netlink.h"

#define BRIDGE_PREFIX 20
#define BRIDGE_HOSTS  4096 /* numbers, with the network's and broadcast's */

struct bridge {
	struct netlink netlink;
	int block;	     /* N */
	int index;	     /* of the device, 0: the bridge is not open */
	char name[IFNAMSIZ]; /* "gc64" */
	int last;	     /* number leased last */
	unsigned char leased[BRIDGE_HOSTS / 8]; /* bits, by number */
};

struct tap {
	int fd; /* non-blocking, CLOEXEC; the engine's copy may be closed, and
		 * this set to -1, once QEMU has it */
	int number;	     /* of its address in the /20, 0: not open */
	char name[IFNAMSIZ]; /* "gc64v3" */
	char mac[18];	     /* "52:54:68:40:00:02" */
	char address[20];    /* "10.116.0.2/20" */
	char gateway[16];    /* "10.116.0.1" */
};

/*
 * Removes what dead engines left and makes the bridge of a block. On error
 * nothing is left. Errors: -EPERM, with what is needed; -EEXIST when a device
 * that is none of ours has the name.
 */
int bridge_open(struct bridge *bridge, int block, struct err *err);

/* Removes the bridge; what is still on it is on none then. Harmless on one
 * that is not open, or all zero. */
void bridge_close(struct bridge *bridge);

/* Makes a tap for a vmid below 1e9, and fills *tap; it is down, and on no
 * bridge. On error nothing is held. Errors: -EADDRNOTAVAIL when all addresses are leased. */
int tap_open(struct bridge *bridge, int vmid, struct tap *tap, struct err *err);

/* From now on frames pass, by the bridge. Returns 0 or a negative code. */
int tap_plug(struct bridge *bridge, const struct tap *tap, struct err *err);

/* Closes the descriptor, if it is open, and gives the address back. Harmless
 * on one that is not open, or all zero. */
void tap_close(struct bridge *bridge, struct tap *tap);

#endif
