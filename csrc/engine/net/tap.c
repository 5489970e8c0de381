/* tap - see tap.h */
#include "engine/net/tap.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "engine/net/block.h"
#include "engine/net/link.h"

#define NETWORK	     0x0a700000 /* 10.112.0.0 */
#define GATEWAY	     1		/* number of the bridge's own address */
#define VMID_END     1000000000 /* "gc254v999999999" is as long as can be */
#define SWEEP_PASSES 8		/* until nothing is found */
#define SWEEP_MAX    64		/* devices that one pass removes */

static const char tun_path[] = "/dev/net/tun";

/* The text for what failed, with what is needed where rights are missing. */
static int refuse(struct err *err, int code, const char *what)
{
	if (code != -EPERM && code != -EACCES)
		return err_set(err, code, "%s", what);
	return err_set(err, -EPERM,
		       "%s: network = \"tap\" needs CAP_NET_ADMIN, and a %s "
		       "that may be opened",
		       what, tun_path);
}

/* ---- names and addresses ------------------------------------------------ */

static uint32_t ip_of(int block, int number)
{
	return NETWORK + ((uint32_t)block << (32 - BRIDGE_PREFIX)) +
	       (uint32_t)number;
}

static void print_ip(char *to, size_t size, uint32_t ip)
{
	snprintf(to, size, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255,
		 ip >> 8 & 255, ip & 255);
}

static void fill_mac(unsigned char mac[6], int block, int number)
{
	static const unsigned char prefix[3] = { 0x52, 0x54, 0x68 };

	memcpy(mac, prefix, sizeof prefix);
	mac[3] = (unsigned char)block;
	mac[4] = (unsigned char)(number >> 8);
	mac[5] = (unsigned char)number;
}

/* The block of a device that an engine made, be it alive or not; -1: none. */
static int block_of(const struct link *link)
{
	int block = -1, vmid, len = 0;
	unsigned char mac[6];

	if (strcmp(link->kind, "tun") == 0) {
		if (sscanf(link->name, "gc%3dv%9d%n", &block, &vmid, &len) != 2)
			return -1;
	} else if (strcmp(link->kind, "bridge") == 0) {
		if (sscanf(link->name, "gc%3d%n", &block, &len) != 1)
			return -1;
		/* the name alone could be an accident */
		fill_mac(mac, block, GATEWAY);
		if (memcmp(mac, link->mac, sizeof mac) != 0)
			return -1;
	}
	if (!len || link->name[len] || block < BLOCK_FIRST ||
	    block > BLOCK_LAST)
		return -1;
	return block;
}

/* ---- what dead engines left --------------------------------------------- */

struct sweep {
	int block; /* our own */
	int n;
	int index[SWEEP_MAX];
};

/* Notes a device whose engine is dead. It was made by one that had the claim:
 * where the claim is free now, that engine is gone, and a new one of the same
 * block gets devices with other indices. */
static void note_stale(const struct link *link, void *arg)
{
	struct sweep *sweep = arg;
	int block = block_of(link);

	if (block < 0 || sweep->n == SWEEP_MAX)
		return;
	if (block == sweep->block || !block_is_claimed(block))
		sweep->index[sweep->n++] = link->index;
}

/* Removes what dead engines left; of our own block that is all there is, even
 * taps that a dying QEMU still holds. Where devices come and go all the time,
 * some may be missed: they stay for the next engine, or are in our way by their
 * names, which is an error of its own. */
static int sweep_stale(struct netlink *netlink, int block)
{
	struct sweep sweep = { .block = block };
	int i, pass, code = 0;

	for (pass = 0; pass < SWEEP_PASSES; pass++) {
		sweep.n = 0;
		code = link_list(netlink, note_stale, &sweep);
		if (code && code != -EINTR)
			return code;
		for (i = 0; i < sweep.n; i++) {
			code = link_delete(netlink, sweep.index[i]);
			if (code && code != -ENODEV)
				return code;
		}
		if (!code && !sweep.n)
			break;
	}
	return 0;
}

/* ---- the bridge --------------------------------------------------------- */

/* Checks, before the first VM boots, that tap devices can be created. */
static int check_tun(struct err *err)
{
	int fd = open(tun_path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return refuse(err, -errno, tun_path);
	close(fd);
	return 0;
}

/* No IPv6 of the host on this device: a guest could else announce itself as
 * the host's router. Where that fails (IPv6 is off, /proc/sys is read-only), the
 * bridge works all the same. */
static int disable_ipv6(const char *name)
{
	char path[80];
	int fd, code;

	snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6",
		 name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	code = write(fd, "1", 1) < 0 ? -errno : 0;
	close(fd);
	return code;
}

static int index_of(const char *name)
{
	unsigned index = if_nametoindex(name);

	return index ? (int)index : -errno;
}

/* Gives the new device its address and sets it up. */
static int equip(struct bridge *bridge)
{
	int code;

	disable_ipv6(bridge->name);
	code = link_add_address(&bridge->netlink, bridge->index,
				ip_of(bridge->block, GATEWAY), BRIDGE_PREFIX);
	if (!code)
		code = link_set_up(&bridge->netlink, bridge->index, 0);
	return code;
}

/* Makes the bridge in the place of what is left of an older one. */
static int make_bridge(struct bridge *bridge)
{
	unsigned char mac[6];
	int code;

	code = sweep_stale(&bridge->netlink, bridge->block);
	if (code)
		return code;
	fill_mac(mac, bridge->block, GATEWAY);
	code = link_add_bridge(&bridge->netlink, bridge->name, mac);
	if (code)
		return code;
	code = index_of(bridge->name);
	if (code < 0)
		return code; /* somebody removed it */
	bridge->index = code;
	code = equip(bridge);
	if (code)
		link_delete(&bridge->netlink, bridge->index);
	return code;
}

int bridge_open(struct bridge *bridge, int block, struct err *err)
{
	char what[32];
	int code;

	assert(block >= BLOCK_FIRST && block <= BLOCK_LAST);
	memset(bridge, 0, sizeof *bridge);
	bridge->block = block;
	bridge->last = GATEWAY;
	snprintf(bridge->name, sizeof bridge->name, "gc%d", block);
	snprintf(what, sizeof what, "bridge %s", bridge->name);
	code = check_tun(err);
	if (code)
		return code;
	code = link_open(&bridge->netlink);
	if (code)
		return err_set(err, code, "%s", what);
	code = make_bridge(bridge);
	if (!code)
		return 0;
	netlink_close(&bridge->netlink);
	bridge->index = 0;
	return refuse(err, code, what);
}

void bridge_close(struct bridge *bridge)
{
	if (!bridge->index)
		return;
	link_delete(&bridge->netlink, bridge->index);
	netlink_close(&bridge->netlink);
	bridge->index = 0;
}

/* ---- taps --------------------------------------------------------------- */

/* Leases the next number that is free, from where the last one was found: one
 * that was given back rests until all others had their turn. 0: none. */
static int lease_number(struct bridge *bridge)
{
	int i, number = bridge->last;

	for (i = 0; i < BRIDGE_HOSTS; i++) {
		number = (number + 1) % BRIDGE_HOSTS;
		if (number <= GATEWAY || number == BRIDGE_HOSTS - 1)
			continue; /* the network's, the bridge's, broadcast */
		if (bridge->leased[number / 8] & 1 << number % 8)
			continue;
		bridge->leased[number / 8] |= (unsigned char)(1 << number % 8);
		bridge->last = number;
		return number;
	}
	return 0;
}

/* Makes the device of a descriptor of /dev/net/tun. */
static int make_device(int fd, const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };

	snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
	return ioctl(fd, TUNSETIFF, &ifr) < 0 ? -errno : 0;
}

static int make_tap(struct tap *tap)
{
	int code;

	tap->fd = open(tun_path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (tap->fd < 0)
		return -errno;
	code = make_device(tap->fd, tap->name);
	if (code)
		return code;
	disable_ipv6(tap->name);
	return 0;
}

int tap_plug(struct bridge *bridge, const struct tap *tap, struct err *err)
{
	int code = index_of(tap->name);

	if (code >= 0)
		code = link_set_up(&bridge->netlink, code, bridge->index);
	return code < 0 ? err_set(err, code, "tap %s", tap->name) : 0;
}

static void describe(const struct bridge *bridge, struct tap *tap)
{
	unsigned char mac[6];
	char ip[16];

	fill_mac(mac, bridge->block, tap->number);
	snprintf(tap->mac, sizeof tap->mac,
		 "%02hhx:%02hhx:%02hhx:%02hhx:%02hhx:%02hhx", mac[0], mac[1],
		 mac[2], mac[3], mac[4], mac[5]);
	print_ip(ip, sizeof ip, ip_of(bridge->block, tap->number));
	snprintf(tap->address, sizeof tap->address, "%s/%d", ip, BRIDGE_PREFIX);
	print_ip(tap->gateway, sizeof tap->gateway,
		 ip_of(bridge->block, GATEWAY));
}

int tap_open(struct bridge *bridge, int vmid, struct tap *tap, struct err *err)
{
	char what[32];
	int code;

	memset(tap, 0, sizeof *tap);
	tap->fd = -1;
	if (vmid < 0 || vmid >= VMID_END)
		return err_set(err, -ERANGE, "tap for vmid %d", vmid);
	snprintf(tap->name, sizeof tap->name, "%.5sv%d", bridge->name, vmid);
	snprintf(what, sizeof what, "tap %s", tap->name);
	tap->number = lease_number(bridge);
	if (!tap->number)
		return err_set(err, -EADDRNOTAVAIL, "%s", what);
	describe(bridge, tap);
	code = make_tap(tap);
	if (!code)
		return 0;
	tap_close(bridge, tap);
	return refuse(err, code, what);
}

void tap_close(struct bridge *bridge, struct tap *tap)
{
	if (!tap->number)
		return;
	if (tap->fd >= 0)
		close(tap->fd);
	tap->fd = -1;
	assert(tap->number > GATEWAY && tap->number < BRIDGE_HOSTS - 1);
	assert(bridge->leased[tap->number / 8] & 1 << tap->number % 8);
	bridge->leased[tap->number / 8] &=
		(unsigned char)~(1 << tap->number % 8);
	tap->number = 0;
}
