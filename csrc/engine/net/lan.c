/* lan - see lan.h */
#include "engine/net/lan.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const unsigned char mac_prefix[4] = { 0x52, 0x54, 0x67, 0x63 };
static const unsigned char net_prefix[2] = { 10, 77 };

int lan_init(struct lan *lan, struct loop *loop)
{
	memset(lan, 0, sizeof *lan);
	/* half a megabyte, of which the kernel gives the pages in use */
	lan->named = calloc(LAN_LAST_VMID + 2, sizeof *lan->named);
	if (!lan->named)
		return -ENOMEM;
	lan->loop = loop;
	return 0;
}

void lan_free(struct lan *lan)
{
	while (lan->ports)
		lan_unplug(lan->ports);
	free(lan->named);
	lan->named = NULL;
}

void lan_address(int vmid, char address[16])
{
	assert(vmid >= 0 && vmid <= LAN_LAST_VMID);
	snprintf(address, 16, "%hhu.%hhu.%hhu.%hhu", net_prefix[0],
		 net_prefix[1], (unsigned char)((vmid + 1) >> 8),
		 (unsigned char)(vmid + 1));
}

void lan_card(int vmid, char mac[18], char address[20])
{
	unsigned char high = (unsigned char)((vmid + 1) >> 8);
	unsigned char low = (unsigned char)(vmid + 1);

	snprintf(mac, 18, "%02hhx:%02hhx:%02hhx:%02hhx:%02hhx:%02hhx",
		 mac_prefix[0], mac_prefix[1], mac_prefix[2], mac_prefix[3],
		 high, low);
	lan_address(vmid, address);
	strcat(address, "/16");
}

/* ---- what a guest may send ---------------------------------------------- */

/* Two bytes in network order. */
static int get16(const unsigned char *at)
{
	return at[0] << 8 | at[1];
}

/* The number that a MAC names, 0: none of ours. */
static int number_of(const unsigned char mac[6])
{
	if (memcmp(mac, mac_prefix, sizeof mac_prefix) != 0)
		return 0;
	return get16(mac + sizeof mac_prefix);
}

static int is_own_ip(const struct lan_port *port, const unsigned char ip[4])
{
	return memcmp(ip, net_prefix, sizeof net_prefix) == 0 &&
	       get16(ip + sizeof net_prefix) == port->number;
}

/* An ARP packet in which the sender says who it is, or asks whether an address
 * is free, for which its own is 0.0.0.0. */
static int is_own_arp(const struct lan_port *port, const unsigned char *arp,
		      size_t len)
{
	static const unsigned char kind[6] = { 0, ARPHRD_ETHER, 8, 0, 6, 4 };
	static const unsigned char none[4];

	return len >= 28 && memcmp(arp, kind, sizeof kind) == 0 &&
	       number_of(arp + 8) == port->number &&
	       (is_own_ip(port, arp + 14) || memcmp(arp + 14, none, 4) == 0);
}

/* True for a frame that may come from this port. */
static int is_sound(const struct lan_port *port, const unsigned char *frame,
		    size_t len)
{
	if (!port->number || len < LAN_FRAME_MIN || len > LAN_FRAME_MAX)
		return 0;
	if (number_of(frame + ETH_ALEN) != port->number)
		return 0;
	switch (get16(frame + 2 * ETH_ALEN)) {
	case ETH_P_IP:
		return len >= ETH_HLEN + 20 &&
		       is_own_ip(port, frame + ETH_HLEN + 12);
	case ETH_P_ARP:
		return is_own_arp(port, frame + ETH_HLEN, len - ETH_HLEN);
	case ETH_P_8021Q:
	case ETH_P_8021AD: return 0;
	default: return 1;
	}
}

/* ---- switching ---------------------------------------------------------- */

static void deliver(struct lan_port *to, const void *frame, size_t len)
{
	/* also an error when that VM is dead: its end is seen elsewhere, and
	 * unplugs it */
	if (send(to->source.fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		to->lost++;
}

/* Gives the frame to all others. Returns their number. */
static int broadcast(const struct lan_port *from, const void *frame, size_t len)
{
	struct lan_port *to;
	int n = 0;

	for (to = from->lan->ports; to; to = to->next) {
		if (to == from || !to->number)
			continue;
		deliver(to, frame, len);
		n++;
	}
	return n;
}

/* Gives the frame to whom its destination names. Returns their number. */
static int unicast(const struct lan_port *from, const unsigned char *frame,
		   size_t len)
{
	int number = number_of(frame);
	struct lan_port *to;

	if (number > LAN_LAST_VMID + 1)
		return 0;
	to = from->lan->named[number]; /* nobody has number 0 */
	if (!to || to == from)
		return 0;
	deliver(to, frame, len);
	return 1;
}

static void forward(struct lan_port *from, const unsigned char *frame,
		    size_t len)
{
	int n = 0;

	if (is_sound(from, frame, len))
		n = frame[0] & 1 ? broadcast(from, frame, len)
				 : unicast(from, frame, len);
	if (n)
		from->forwarded++;
	else
		from->dropped++;
}

static void on_frames(struct loop_source *source, uint32_t events)
{
	struct lan_port *port = container_of(source, struct lan_port, source);
	unsigned char frame[LAN_FRAME_MAX];
	ssize_t len;
	int i;

	for (i = 0; i < LAN_AT_ONCE; i++) {
		/* MSG_TRUNC: the length that a frame too long really has.
		 * Descriptors sent along are dropped by the kernel. */
		len = recv(source->fd, frame, sizeof frame,
			   MSG_DONTWAIT | MSG_TRUNC);
		if (len < 0)
			return; /* EAGAIN, or an error that is told once */
		forward(port, frame, (size_t)len);
	}
}

/* ---- ports -------------------------------------------------------------- */

struct lan_port *lan_plug(struct lan *lan, int *far_end, struct err *err)
{
	struct lan_port *port = calloc(1, sizeof *port);
	int ends[2] = { -1, -1 }, code = -ENOMEM;

	if (!port)
		goto out;
	/* not SOCK_SEQPACKET: that would tell the end of a VM again and again,
	 * and an empty frame is no end */
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       ends) < 0) {
		code = -errno;
		goto out;
	}
	code = loop_add(lan->loop, &port->source, ends[0], EPOLLIN, on_frames);
	if (code)
		goto out;
	port->lan = lan;
	port->next = lan->ports;
	if (port->next)
		port->next->prev = port;
	lan->ports = port;
	*far_end = ends[1];
	return port;
out:
	if (ends[0] >= 0) {
		close(ends[0]);
		close(ends[1]);
	}
	free(port);
	err_set(err, code, "a port of the VMs' network");
	return NULL;
}

int lan_name(struct lan_port *port, int vmid)
{
	struct lan_port **named = port->lan->named;

	if (vmid < 0 || vmid > LAN_LAST_VMID)
		return -ERANGE;
	if (named[vmid + 1] && named[vmid + 1] != port)
		return -EEXIST;
	named[port->number] = NULL;
	port->number = vmid + 1;
	named[port->number] = port;
	return 0;
}

static void free_port(struct loop_source *source)
{
	free(container_of(source, struct lan_port, source));
}

void lan_unplug(struct lan_port *port)
{
	struct lan *lan = port->lan;

	assert(!lan->named[0]);
	assert(!port->number || lan->named[port->number] == port);
	lan->named[port->number] = NULL;
	if (port->prev)
		port->prev->next = port->next;
	else
		lan->ports = port->next;
	if (port->next)
		port->next->prev = port->prev;
	loop_close(&port->source, free_port);
}
