/* network - see network.h; lists come by netlink, settings are made by ioctl,
 * which is all that IPv4 needs here */
#include "agent/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_INTERFACES 64
#define MAX_ADDRESSES  512 /* of IPv6 */
#define MAX_TRIES      10  /* while the kernel's lists change */

_Static_assert(sizeof((struct network_device *)0)->name == IFNAMSIZ,
	       "the name of an interface");

/* An Ethernet interface. */
struct interface {
	char name[IFNAMSIZ];
	char bus[ETHTOOL_BUSINFO_LEN]; /* "0000:00:03.0"; "": virtual */
	unsigned index;
};

/* A card's settings as the kernel takes them. */
struct settings {
	unsigned char mac[6];
	struct in_addr address, mask, gateway;
};

/* ---- interfaces --------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct interface *x = a, *y = b;
	int by_bus;

	if (!x->bus[0] != !y->bus[0])
		return x->bus[0] ? -1 : 1;
	by_bus = strcmp(x->bus, y->bus);
	return by_bus ? by_bus : (x->index > y->index) - (x->index < y->index);
}

/* A request about an interface. */
static struct ifreq about(const char *name)
{
	struct ifreq request = { 0 };

	memcpy(request.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	return request;
}

/* What a dump of the kernel's interfaces is collected in. */
struct interfaces {
	int n;
	struct interface items[MAX_INTERFACES];
};

/* Adds an Ethernet interface; those beyond the room are ignored. */
static int on_link(const struct nlmsghdr *head, void *arg)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(head);
	struct interfaces *found = arg;
	struct interface *one = &found->items[found->n];
	const struct nlattr *attr;

	if (mnl_nlmsg_get_payload_len(head) < sizeof *info ||
	    info->ifi_type != ARPHRD_ETHER || found->n == MAX_INTERFACES)
		return MNL_CB_OK;
	memset(one, 0, sizeof *one);
	one->index = (unsigned)info->ifi_index;
	mnl_attr_for_each(attr, head, sizeof *info)
		if (mnl_attr_get_type(attr) == IFLA_IFNAME)
			memcpy(one->name, mnl_attr_get_str(attr),
			       strnlen(mnl_attr_get_str(attr), IFNAMSIZ - 1));
	if (one->name[0])
		found->n++;
	return MNL_CB_OK;
}

/* Fills in where the interface stands, if it stands on a bus. */
static void find_bus(int sock, struct interface *one)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request = about(one->name);

	request.ifr_data = (char *)&info;
	if (ioctl(sock, SIOCETHTOOL, &request) == 0)
		memcpy(one->bus, info.bus_info, sizeof one->bus - 1);
}

/* Dumps into *list, which has size bytes and is zeroed first: once more each
 * time that the kernel's list has changed meanwhile, up to a limit. */
static int dump(struct netlink *route, int type, int family, mnl_cb_t each,
		void *list, size_t size)
{
	struct netlink_request request;
	struct nlmsghdr *head;
	struct rtgenmsg *body;
	int tries, code = -EINTR;

	for (tries = 0; tries < MAX_TRIES && code == -EINTR; tries++) {
		memset(list, 0, size);
		head = netlink_begin(&request, type, 0);
		body = mnl_nlmsg_put_extra_header(head, sizeof *body);
		body->rtgen_family = (unsigned char)family;
		code = netlink_dump(route, head, each, list);
	}
	return code;
}

/* Lists the cards' interfaces. */
static int find_devices(struct network *network)
{
	struct interfaces found;
	int i, code;

	code = dump(&network->route, RTM_GETLINK, AF_UNSPEC, on_link, &found,
		    sizeof found);
	if (code)
		return code;
	for (i = 0; i < found.n; i++)
		find_bus(network->sock, &found.items[i]);
	qsort(found.items, (size_t)found.n, sizeof found.items[0], compare);
	network->ndevices = 0;
	for (i = 0; i < found.n && i < NETWORK_MAX_CARDS; i++) {
		struct network_device *device = &network->devices[i];

		memcpy(device->name, found.items[i].name, sizeof device->name);
		device->index = (int)found.items[i].index;
		network->ndevices++;
	}
	return 0;
}

/* The indices of the interfaces with IPv6 addresses: an interface has at least
 * one, made of its MAC, unless IPv6 is off. */
struct ipv6_list {
	int n;
	int index[MAX_ADDRESSES];
};

static int on_address(const struct nlmsghdr *head, void *arg)
{
	const struct ifaddrmsg *address = mnl_nlmsg_get_payload(head);
	struct ipv6_list *list = arg;

	if (mnl_nlmsg_get_payload_len(head) < sizeof *address ||
	    address->ifa_family != AF_INET6)
		return MNL_CB_OK;
	if (list->n == MAX_ADDRESSES) {
		errno = E2BIG;
		return MNL_CB_ERROR;
	}
	list->index[list->n++] = (int)address->ifa_index;
	return MNL_CB_OK;
}

/* Notes which cards have IPv6 addresses: all, where that cannot be told. */
static void find_addresses(struct network *network)
{
	struct ipv6_list list;
	int i, k, failed;

	failed = dump(&network->route, RTM_GETADDR, AF_INET6, on_address, &list,
		      sizeof list);
	for (i = 0; i < network->ndevices; i++) {
		struct network_device *device = &network->devices[i];

		device->has_ipv6 = failed != 0;
		for (k = 0; k < list.n && !device->has_ipv6; k++)
			device->has_ipv6 = list.index[k] == device->index;
	}
}

/* Whether they are still there, whatever they are called by now. */
static int has_devices(struct network *network)
{
	struct ifreq request;
	int i;

	for (i = 0; i < network->ndevices; i++) {
		request.ifr_ifindex = network->devices[i].index;
		if (ioctl(network->sock, SIOCGIFNAME, &request) < 0)
			return 0;
		memcpy(network->devices[i].name, request.ifr_name, IFNAMSIZ);
	}
	return network->ndevices > 0;
}

int network_look(struct network *network, struct err *err)
{
	int code = has_devices(network) ? 0 : find_devices(network);

	if (code)
		return err_set(err, code, "network");
	find_addresses(network);
	return 0;
}

/* ---- settings ----------------------------------------------------------- */

/* Two digits. Returns -1 where they are none. */
static int parse_byte(const char *text)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	int i, value = 0;

	for (i = 0; i < 2; i++) {
		const char *at = text[i] ? strchr(digits, text[i]) : NULL;

		if (!at)
			return -1;
		value = value << 4 | (int)((at - digits) & 15);
	}
	return value;
}

static int parse_mac(const char *text, unsigned char *mac)
{
	int i, byte;

	for (i = 0; i < 6; i++, text += 3) {
		byte = parse_byte(text);
		if (byte < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		mac[i] = (unsigned char)byte;
	}
	return 0;
}

static int parse_address(const char *text, struct settings *to)
{
	char ip[sizeof((struct network_card *)0)->address] = "", *end;
	const char *slash = strchr(text, '/');
	long bits;

	if (!slash || slash - text >= (ptrdiff_t)sizeof ip)
		return -EINVAL;
	memcpy(ip, text, (size_t)(slash - text));
	bits = strtol(slash + 1, &end, 10);
	if (end == slash + 1 || *end || bits < 1 || bits > 32)
		return -EINVAL;
	to->mask.s_addr = htonl(0xffffffffu << (32 - bits));
	return inet_pton(AF_INET, ip, &to->address) == 1 ? 0 : -EINVAL;
}

static int parse(const struct network_card *card, struct settings *to)
{
	int code = 0;

	memset(to, 0, sizeof *to);
	if (card->mac[0])
		code = parse_mac(card->mac, to->mac);
	if (!code && card->address[0])
		code = parse_address(card->address, to);
	if (!code && card->gateway[0] &&
	    inet_pton(AF_INET, card->gateway, &to->gateway) != 1)
		code = -EINVAL;
	return code;
}

/* ---- applying them ------------------------------------------------------ */

static int set_up(int sock, const char *name, int up)
{
	struct ifreq request = about(name);

	if (ioctl(sock, SIOCGIFFLAGS, &request) < 0)
		return -errno;
	if (!(request.ifr_flags & IFF_UP) == !up)
		return 0;
	request.ifr_flags = (short)(request.ifr_flags ^ IFF_UP);
	return ioctl(sock, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

static int put_mac(int sock, const char *name, const unsigned char *mac)
{
	struct ifreq request = about(name);

	request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(request.ifr_hwaddr.sa_data, mac, 6);
	return ioctl(sock, SIOCSIFHWADDR, &request) < 0 ? -errno : 0;
}

/*
 * Taken down and up, which costs some milliseconds of a clone, only where it
 * must be: for a driver that cannot otherwise, and to be rid of addresses that
 * are made of the old MAC.
 */
static int set_mac(int sock, const struct network_device *device,
		   const unsigned char *mac)
{
	const char *name = device->name;
	int code = device->has_ipv6 ? -EBUSY : put_mac(sock, name, mac);

	if (code != -EBUSY)
		return code;
	code = set_up(sock, name, 0);
	if (!code)
		code = put_mac(sock, name, mac);
	return code ? code : set_up(sock, name, 1);
}

static struct sockaddr_in to_sockaddr(struct in_addr address)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = address };

	return in;
}

/* request: SIOCSIFADDR or SIOCSIFNETMASK. */
static int set_address(int sock, const char *name, unsigned long request_type,
		       struct in_addr address)
{
	struct ifreq request = about(name);
	struct sockaddr_in in = to_sockaddr(address);

	memcpy(&request.ifr_addr, &in, sizeof in);
	return ioctl(sock, request_type, &request) < 0 ? -errno : 0;
}

static int set_gateway(int sock, const char *name, struct in_addr gateway)
{
	struct sockaddr_in in = to_sockaddr(gateway);
	struct sockaddr_in any = to_sockaddr((struct in_addr){ INADDR_ANY });
	struct rtentry route = { .rt_flags = RTF_UP | RTF_GATEWAY,
				 .rt_dev = (char *)name };

	memcpy(&route.rt_gateway, &in, sizeof in);
	memcpy(&route.rt_dst, &any, sizeof any);
	memcpy(&route.rt_genmask, &any, sizeof any);
	if (ioctl(sock, SIOCADDRT, &route) == 0 || errno == EEXIST)
		return 0;
	return -errno;
}

/* was: as the card was set before; NULL: that is not known. */
static int apply(int sock, const struct network_device *device,
		 const struct network_card *was,
		 const struct network_card *card)
{
	int new_mac = card->mac[0] && (!was || strcmp(was->mac, card->mac));
	int new_address = card->address[0] &&
			  (!was || strcmp(was->address, card->address));
	struct settings to;
	int code = parse(card, &to);

	if (!code && new_mac)
		code = set_mac(sock, device, to.mac);
	if (!code && new_address)
		code = set_address(sock, device->name, SIOCSIFADDR, to.address);
	if (!code && new_address)
		code = set_address(sock, device->name, SIOCSIFNETMASK, to.mask);
	if (!code && !was)
		code = set_up(sock, device->name, 1);
	if (!code && card->gateway[0])
		code = set_gateway(sock, device->name, to.gateway);
	return code;
}

/* One of them, unless it is as it has to be. */
static int apply_one(struct network *network, int i,
		     const struct network_card *card)
{
	const struct network_card *was =
		i < network->n ? &network->cards[i] : NULL;
	int code;

	if (was && memcmp(was, card, sizeof *card) == 0)
		return 0;
	code = i < network->ndevices
		       ? apply(network->sock, &network->devices[i], was, card)
		       : -ENODEV;
	if (!code)
		network->cards[i] = *card;
	return code;
}

int network_apply(struct network *network, const struct network_card *cards,
		  int n, struct err *err)
{
	int i, code;

	if (n && !network->n) {
		code = set_up(network->sock, "lo", 1);
		if (code)
			return err_set(err, code, "network");
	}
	for (i = 0; i < n; i++) {
		code = apply_one(network, i, &cards[i]);
		if (code)
			return err_set(err, code, "network card %d", i);
		if (network->n <= i)
			network->n = i + 1;
	}
	return 0;
}

int network_open(struct network *network, struct err *err)
{
	int code;

	network->sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (network->sock < 0)
		return err_set(err, -errno, "network");
	code = netlink_open(&network->route, NETLINK_ROUTE);
	return code ? err_set(err, code, "network") : 0;
}
