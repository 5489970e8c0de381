/* repair/socket - see repair/socket.h */
#include "repair/socket.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* An option of SOL_SOCKET, or a negated errno. */
static int socket_int(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof value;

	if (getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0)
		return -errno;
	return value;
}

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage storage;
};

/* The local port of an inet socket, 0 where it has none; fills *is_wildcard:
 * it is bound to no address. */
static int local_port(int fd, int *is_wildcard)
{
	union address addr;
	socklen_t len = sizeof addr;

	*is_wildcard = 1;
	if (getsockname(fd, &addr.any, &len) < 0)
		return 0;
	if (addr.any.sa_family == AF_INET6) {
		*is_wildcard = IN6_IS_ADDR_UNSPECIFIED(&addr.in6.sin6_addr);
		return ntohs(addr.in6.sin6_port);
	}
	*is_wildcard = addr.in.sin_addr.s_addr == htonl(INADDR_ANY);
	return ntohs(addr.in.sin_port);
}

static int has_peer(int fd)
{
	union address addr;
	socklen_t len = sizeof addr;

	return getpeername(fd, &addr.any, &len) == 0;
}

/* Returns whether fd is a TCP socket; info is zero where it is not. */
static int read_tcp_info(int fd, struct tcp_info *info)
{
	socklen_t len = sizeof *info;

	memset(info, 0, sizeof *info);
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len) == 0;
}

/* The kernel gives ports from this range to sockets that ask for none. */
static int is_ephemeral(int port)
{
	int low = 32768, high = 60999; /* the kernel's default */
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");

	if (file) {
		if (fscanf(file, "%d %d", &low, &high) != 2)
			low = high = 0;
		fclose(file);
	}
	return port >= low && port <= high;
}

/*
 * Whether a UDP socket was bound so that others find it. The kernel does not
 * tell that from a port which it chose itself at the first datagram sent, and
 * libuv binds clients explicitly; so a port of the kernel's range counts as
 * chosen by it, unless something says that the program wanted the port.
 */
static int is_bound_on_purpose(int fd, int port, int is_wildcard)
{
	if (!port || has_peer(fd))
		return 0;
	return !is_wildcard || socket_int(fd, SO_REUSEADDR) > 0 ||
	       socket_int(fd, SO_REUSEPORT) > 0 || !is_ephemeral(port);
}

/* Fills the item of a TCP socket; 0 when fd is none. One call for each of
 * 10,000 connections, so nothing else is asked of these. */
static int plan_tcp(struct repair_item *item)
{
	struct tcp_info info;
	int is_wildcard;

	if (!read_tcp_info(item->fd, &info))
		return 0;
	item->type = SOCK_STREAM;
	item->action = REPAIR_DEAD;
	if (info.tcpi_state != TCP_LISTEN && info.tcpi_state != TCP_CLOSE)
		return 1;
	item->family = socket_int(item->fd, SO_DOMAIN);
	item->action = REPAIR_FRESH;
	if (info.tcpi_state == TCP_LISTEN) {
		item->action = REPAIR_LISTENER;
		item->port = local_port(item->fd, &is_wildcard);
	}
	return 1;
}

static enum repair_action plan_inet_datagram(struct repair_item *item)
{
	int is_wildcard, port = local_port(item->fd, &is_wildcard);
	int protocol = socket_int(item->fd, SO_PROTOCOL);

	/* the port of an ICMP socket is not one */
	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6 ||
	    !is_bound_on_purpose(item->fd, port, is_wildcard))
		return REPAIR_FRESH;
	item->port = port;
	return REPAIR_LISTENER;
}

static enum repair_action plan_unix(const struct repair_item *item)
{
	if (item->type == SOCK_DGRAM)
		return REPAIR_FRESH;
	return socket_int(item->fd, SO_ACCEPTCONN) > 0 ? REPAIR_INERT
						       : REPAIR_DEAD;
}

/* Fills the item of any other socket. Returns 0 when it is to be kept as it
 * is. */
static int plan_socket(struct repair_item *item)
{
	int is_inet;

	assert(item->type >= 0);
	item->family = socket_int(item->fd, SO_DOMAIN);
	is_inet = item->family == AF_INET || item->family == AF_INET6;
	if (is_inet && item->type == SOCK_STREAM)
		item->action = REPAIR_DEAD;
	else if (is_inet && item->type == SOCK_DGRAM)
		item->action = plan_inet_datagram(item);
	else if (item->family == AF_UNIX)
		item->action = plan_unix(item);
	else
		return 0;
	return 1;
}

int socket_plan(struct repair_item *item)
{
	if (plan_tcp(item))
		return 1;
	item->type = socket_int(item->fd, SO_TYPE);
	if (item->type < 0)
		return -1;
	return plan_socket(item);
}

int socket_backlog(int listener)
{
	struct tcp_info info;

	/* where TCP_INFO has the limit of a listener's queue */
	return read_tcp_info(listener, &info) && info.tcpi_sacked
		       ? (int)info.tcpi_sacked
		       : SOMAXCONN;
}
