/* network - see network.h; by ioctl, which is all that IPv4 needs here */
#include "agent/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
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
#define MAX_ADDRESSES  16384 /* bytes of the kernel's list */

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

/* ---- which ------------------------------------------------------------- */

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

/* Fills in what it is, unless it is no Ethernet interface. */
static int look_at(int sock, const struct if_nameindex *entry,
		   struct interface *found)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request = about(entry->if_name);

	if (ioctl(sock, SIOCGIFHWADDR, &request) < 0 ||
	    request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return 0;
	memset(found, 0, sizeof *found);
	memcpy(found->name, entry->if_name,
	       strnlen(entry->if_name, IFNAMSIZ - 1));
	found->index = entry->if_index;
	request = about(entry->if_name);
	request.ifr_data = (char *)&info;
	if (ioctl(sock, SIOCETHTOOL, &request) == 0)
		memcpy(found->bus, info.bus_info, sizeof found->bus - 1);
	return 1;
}

/* Fills found, in order. Returns how many, or a negated errno. */
static int list_interfaces(int sock, struct interface *found)
{
	struct if_nameindex *all = if_nameindex(), *entry;
	int n = 0;

	if (!all)
		return -errno;
	for (entry = all; entry->if_index && n < MAX_INTERFACES; entry++)
		n += look_at(sock, entry, &found[n]);
	if_freenameindex(all);
	qsort(found, (size_t)n, sizeof *found, compare);
	return n;
}

/* Reads the kernel's list of IPv6 addresses; where that is too long, or cannot
 * be read to its end, *all is 0. */
static void read_addresses(char *text, size_t size, int *all)
{
	int fd = open("/proc/self/net/if_inet6", O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 0;

	while (fd >= 0 && len < size - 1 &&
	       (n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	*all = n == 0 && len < size - 1; /* or there is no IPv6 here */
	if (fd >= 0)
		close(fd);
}

/* Whether an interface has an IPv6 address: at least one made of its MAC. Each
 * line of the list ends with a blank and the name. */
static int has_ipv6(const char *addresses, const char *name)
{
	char end[IFNAMSIZ + 2] = " ";

	strcat(strcat(end, name), "\n");
	return strstr(addresses, end) != NULL;
}

/* Lists the cards' interfaces. */
static int find_devices(struct network *network)
{
	struct interface found[MAX_INTERFACES];
	int i, n = list_interfaces(network->sock, found);

	network->ndevices = 0;
	for (i = 0; i < n && i < NETWORK_MAX_CARDS; i++) {
		struct network_device *device = &network->devices[i];

		memcpy(device->name, found[i].name, sizeof device->name);
		device->index = (int)found[i].index;
		network->ndevices++;
	}
	return n < 0 ? n : 0;
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
	char addresses[MAX_ADDRESSES];
	int i, all, code = 0;

	if (!has_devices(network))
		code = find_devices(network);
	if (code)
		return err_set(err, code, "network");
	read_addresses(addresses, sizeof addresses, &all);
	for (i = 0; i < network->ndevices; i++) {
		struct network_device *device = &network->devices[i];

		device->has_ipv6 = !all || has_ipv6(addresses, device->name);
	}
	return 0;
}

/* ---- what -------------------------------------------------------------- */

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

/* ---- doing it ---------------------------------------------------------- */

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
	network->sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return network->sock < 0 ? err_set(err, -errno, "network") : 0;
}
