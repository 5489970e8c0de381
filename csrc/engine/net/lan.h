/*
 * lan - an Ethernet switch without root between the VMs of one engine
 *
 * Each VM's second card is a datagram socket, one frame a datagram, of which
 * QEMU inherits the far end:
 *
 *	-netdev dgram,id=lan,local.type=fd,local.str=N
 *
 *	lan_init(&lan, &loop);
 *	port = lan_plug(&lan, &far_end, &err);
 *	... start QEMU with far_end, close it here ...
 *	lan_name(port, vmid);
 *	...
 *	lan_unplug(port);
 *
 * Nothing is learned: a VM's number is its vmid + 1, and stands in its MAC
 * 52:54:67:63:hh:ll and its address 10.77.h.l. A frame goes to the port that
 * its destination names, broadcast and multicast to all others.
 *
 * Guests are not trusted. What does not carry the port's own MAC as its source,
 * or as IPv4 or ARP the port's own address, is dropped, and so are VLAN tags,
 * behind which an address could hide. IPv6 is held to its MAC only.
 *
 * No frame is queued here: the socket of a port is all the room there is, and
 * what does not fit into it is lost. A VM that floods is held up by its own
 * socket, of which LAN_AT_ONCE frames are taken in a turn of the loop.
 */
#ifndef GC_ENGINE_NET_LAN_H
#define GC_ENGINE_NET_LAN_H

#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"

#define LAN_FRAME_MIN 14	   /* bytes: the header */
#define LAN_FRAME_MAX (14 + 65535) /* the header and the largest MTU */
#define LAN_AT_ONCE   64	   /* frames of one port in one turn */
#define LAN_LAST_VMID 65533	   /* 10.77.255.255 is the broadcast */

struct lan_port {
	struct loop_source source; /* the near end */
	struct lan *lan;
	int number;	    /* vmid + 1, 0: it has none yet */
	uint64_t forwarded; /* frames of this VM that went to others */
	uint64_t dropped;   /* frames of this VM that went to none */
	uint64_t lost;	    /* frames for this VM that did not fit */
	struct lan_port *next, *prev; /* all ports */
};

struct lan {
	struct loop *loop;
	struct lan_port *ports;
	struct lan_port **named; /* by number */
};

/* Returns 0 or -ENOMEM. */
int lan_init(struct lan *lan, struct loop *loop);

/* Unplugs all ports, whose memory goes at the end of the turn, or with the
 * loop. Harmless on one that is free, or all zero. */
void lan_free(struct lan *lan);

/*
 * A port for a VM that has no name yet: what it sends is dropped. *far_end is
 * the caller's, non-blocking and CLOEXEC. NULL on error; then nothing is held.
 */
struct lan_port *lan_plug(struct lan *lan, int *far_end, struct err *err);

/* From now on the port sends and receives, as that vmid; it may have been
 * another before. Errors: -ERANGE, -EEXIST. */
int lan_name(struct lan_port *port, int vmid);

/* The port is gone; what waits in it is lost. It is freed after the turn. */
void lan_unplug(struct lan_port *port);

/* The MAC and the address with prefix that belong to a vmid of 0 to
 * LAN_LAST_VMID, as texts: "52:54:67:63:00:01", "10.77.0.1/16". */
void lan_card(int vmid, char mac[18], char address[20]);

/* The address alone: "10.77.0.1". */
void lan_address(int vmid, char address[16]);

#endif
