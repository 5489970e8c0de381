/*
 * link - network devices and their addresses, by rtnetlink
 *
 * Only what the engine needs: bridges, the devices on them, the
 * list of all devices. Nothing here waits (netlink.h).
 *
 * Functions return 0 or a negated errno: -EPERM where CAP_NET_ADMIN is missing,
 * -ENODEV where the device is gone.
 */
#ifndef GC_ENGINE_NET_LINK_H
#define GC_ENGINE_NET_LINK_H

#include <net/if.h>
#include <stdint.h>

#include "netlink/netlink.h"

/* A device, as the kernel lists it. */
struct link {
	int index;
	char name[IFNAMSIZ];
	char kind[16]; /* "bridge", "tun" (also for taps), "": hardware */
	unsigned char mac[6];
};

/* Opens a socket for the functions below. */
int link_open(struct netlink *netlink);

/* Makes a bridge, which is down. -EEXIST where the name is taken. */
int link_add_bridge(struct netlink *netlink, const char *name,
		    const unsigned char mac[6]);

/* Sets the device up; on the bridge with the index master, unless that is 0. */
int link_set_up(struct netlink *netlink, int index, int master);

/* Gives the device an IPv4 address (host byte order) with a prefix of len
 * bits. */
int link_add_address(struct netlink *netlink, int index, uint32_t ip, int len);

/* Removes the device, whichever process made it. */
int link_delete(struct netlink *netlink, int index);

/*
 * Calls each(link, arg) for all devices of this network namespace. On an error
 * some may be missing; -EINTR: because devices came or went meanwhile.
 */
int link_list(struct netlink *netlink,
	      void (*each)(const struct link *, void *), void *arg);

#endif
