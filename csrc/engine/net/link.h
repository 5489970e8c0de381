/*
 * link - network devices and their addresses, by rtnetlink
 *
 * What the engine needs of it: bridges, the devices on them, a list of all.
 * The kernel carries out a request before it takes the next one, and its
 * answer is there at once: nothing here waits.
 *
 * Every function returns 0 or a negated errno, if it does not say otherwise;
 * -EPERM where CAP_NET_ADMIN is missing.
 */
#ifndef GC_ENGINE_NET_LINK_H
#define GC_ENGINE_NET_LINK_H

#include <net/if.h>
#include <stdint.h>

/* A device, as the kernel lists it. */
struct link {
	int index;
	char name[IFNAMSIZ];
	char kind[16]; /* "bridge", "tun" (taps, too), "": hardware */
	unsigned char mac[6];
};

/* Returns a netlink descriptor, the caller's, or a negated errno. */
int link_open(void);

/* Makes a bridge, which is down. -EEXIST where that name is taken. */
int link_add_bridge(int netlink, const char *name, const unsigned char mac[6]);

/* Sets the device up, on the bridge with the index master (0: on none). */
int link_set_up(int netlink, int index, int master);

/* Gives the device an IPv4 address (host order) with a prefix of len bits. */
int link_add_address(int netlink, int index, uint32_t ip, int len);

/* Removes the device, whoever made it. */
int link_delete(int netlink, int index);

/* Calls each(link, arg) for all devices of this network namespace. -EINTR:
 * they changed meanwhile, so that some may be missing. */
int link_list(int netlink, void (*each)(const struct link *, void *),
	      void *arg);

#endif
