/* repair/options - see repair/options.h */
#include "repair/options.h"

#include <assert.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define VALUE_MAX 16 /* bytes: IFNAMSIZ, TCP_CA_NAME_MAX, struct timeval */

#define FRESH	  SOCKET_FRESH
#define LISTENER  (SOCKET_FRESH | SOCKET_LISTENER)
#define ALL	  (SOCKET_FRESH | SOCKET_LISTENER | SOCKET_DEAD)
/* There may be 10,000 connections: of these, what has no effect is left out. */
#define BLOCKING  (LISTENER | 8)  /* and dead ones that block */
#define KEEPALIVE (LISTENER | 16) /* and dead ones with SO_KEEPALIVE */

#ifndef SO_BUF_LOCK /* Linux 5.14 */
#define SO_BUF_LOCK 72
#endif
#define SNDBUF_LOCK 1 /* bits of its value: the program chose the size */
#define RCVBUF_LOCK 2

/* Options that are read and set as they stand. A socket that lacks one, as
 * UDP lacks those of TCP, reports an error, and the option is passed over. */
static const struct {
	int level, name;
	int kinds; /* of replacements that keep it */
} table[] = {
	/* first, since others depend on it */
	{ SOL_SOCKET, SO_KEEPALIVE, ALL },
	{ SOL_SOCKET, SO_LINGER, LISTENER },
	{ SOL_SOCKET, SO_OOBINLINE, LISTENER },
	{ SOL_SOCKET, SO_RCVLOWAT, LISTENER },
	{ SOL_SOCKET, SO_RCVTIMEO, BLOCKING },
	{ SOL_SOCKET, SO_SNDTIMEO, BLOCKING },
	{ SOL_SOCKET, SO_PRIORITY, LISTENER },
	{ SOL_SOCKET, SO_REUSEADDR, LISTENER },
	{ SOL_SOCKET, SO_BROADCAST, LISTENER },
	{ SOL_SOCKET, SO_DONTROUTE, LISTENER },
	{ SOL_SOCKET, SO_MARK, LISTENER },
	{ SOL_SOCKET, SO_TIMESTAMP, LISTENER },
	{ SOL_SOCKET, SO_TIMESTAMPNS, LISTENER },
	{ SOL_SOCKET, SO_TIMESTAMPING, LISTENER },
	{ SOL_SOCKET, SO_RXQ_OVFL, LISTENER },
	{ SOL_SOCKET, SO_BUSY_POLL, LISTENER },
	{ SOL_SOCKET, SO_ZEROCOPY, LISTENER },
	{ SOL_SOCKET, SO_PASSCRED, LISTENER },
	{ SOL_SOCKET, SO_REUSEPORT, FRESH },
	{ SOL_SOCKET, SO_BINDTODEVICE, FRESH },
	{ IPPROTO_TCP, TCP_NODELAY, ALL },
	{ IPPROTO_TCP, TCP_CORK, LISTENER },
	{ IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE },
	{ IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE },
	{ IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, KEEPALIVE },
	{ IPPROTO_TCP, TCP_LINGER2, LISTENER },
	{ IPPROTO_TCP, TCP_SYNCNT, LISTENER },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, LISTENER },
	{ IPPROTO_TCP, TCP_FASTOPEN, LISTENER },
	{ IPPROTO_TCP, TCP_FASTOPEN_CONNECT, LISTENER },
	{ IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, LISTENER },
	{ IPPROTO_TCP, TCP_SAVE_SYN, LISTENER },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, LISTENER },
	{ IPPROTO_TCP, TCP_CONGESTION, LISTENER },
	{ IPPROTO_TCP, TCP_WINDOW_CLAMP, LISTENER },
	{ IPPROTO_TCP, TCP_MAXSEG, LISTENER },
	{ IPPROTO_UDP, UDP_CORK, LISTENER },
	{ IPPROTO_UDP, UDP_SEGMENT, LISTENER },
	{ IPPROTO_UDP, UDP_GRO, LISTENER },
	{ IPPROTO_IP, IP_TOS, ALL },
	{ IPPROTO_IP, IP_TTL, LISTENER },
	{ IPPROTO_IP, IP_RECVERR, LISTENER },
	{ IPPROTO_IP, IP_RECVTOS, LISTENER },
	{ IPPROTO_IP, IP_RECVTTL, LISTENER },
	{ IPPROTO_IP, IP_PKTINFO, LISTENER },
	{ IPPROTO_IP, IP_RECVORIGDSTADDR, LISTENER },
	{ IPPROTO_IP, IP_MTU_DISCOVER, LISTENER },
	{ IPPROTO_IP, IP_FREEBIND, LISTENER },
	{ IPPROTO_IP, IP_TRANSPARENT, LISTENER },
	{ IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, FRESH },
	{ IPPROTO_IP, IP_MULTICAST_IF, LISTENER },
	{ IPPROTO_IP, IP_MULTICAST_TTL, LISTENER },
	{ IPPROTO_IP, IP_MULTICAST_LOOP, LISTENER },
	{ IPPROTO_IP, IP_MULTICAST_ALL, LISTENER },
	{ IPPROTO_IPV6, IPV6_V6ONLY, FRESH },
	{ IPPROTO_IPV6, IPV6_TCLASS, LISTENER },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, LISTENER },
	{ IPPROTO_IPV6, IPV6_RECVERR, LISTENER },
	{ IPPROTO_IPV6, IPV6_RECVPKTINFO, LISTENER },
	{ IPPROTO_IPV6, IPV6_RECVTCLASS, LISTENER },
	{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT, LISTENER },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER, LISTENER },
	{ IPPROTO_IPV6, IPV6_DONTFRAG, LISTENER },
	{ IPPROTO_IPV6, IPV6_MULTICAST_IF, LISTENER },
	{ IPPROTO_IPV6, IPV6_MULTICAST_HOPS, LISTENER },
	{ IPPROTO_IPV6, IPV6_MULTICAST_LOOP, LISTENER },
};

#define COUNT (sizeof table / sizeof table[0])

struct value {
	socklen_t len; /* 0: this socket has no such option */
	unsigned char bytes[VALUE_MAX];
};

/* Zeroed before it is filled, so that two can be compared byte by byte. */
struct socket_options {
	int status; /* of fcntl(F_GETFL) */
	int signal; /* of fcntl(F_GETSIG); 0: SIGIO */
	struct f_owner_ex owner;
	int sndbuf, rcvbuf; /* bytes, as the program chose; 0: it did not */
	struct value values[COUNT];
};

static void read_value(int fd, size_t i, struct value *value)
{
	value->len = sizeof value->bytes;
	if (getsockopt(fd, table[i].level, table[i].name, value->bytes,
		       &value->len) < 0)
		value->len = 0;
	assert(value->len <= sizeof value->bytes);
}

/* The kernel doubles a size when it is set, for its own bookkeeping. */
static int read_size(int fd, int name)
{
	int size = 0;
	socklen_t len = sizeof size;

	return getsockopt(fd, SOL_SOCKET, name, &size, &len) ? 0 : size / 2;
}

/* Only sizes that the program chose: others follow the traffic. */
static void read_sizes(int fd, struct socket_options *options)
{
	int locks = 0;
	socklen_t len = sizeof locks;

	if (getsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &locks, &len) < 0)
		return;
	if (locks & SNDBUF_LOCK)
		options->sndbuf = read_size(fd, SO_SNDBUF);
	if (locks & RCVBUF_LOCK)
		options->rcvbuf = read_size(fd, SO_RCVBUF);
}

static int is_on(const struct value *value)
{
	int on = 0;

	memcpy(&on, value->bytes, sizeof on);
	return value->len == sizeof on && on;
}

struct socket_options *socket_options_read(int fd, int status,
					   enum socket_kind kind)
{
	struct socket_options *options = calloc(1, sizeof *options);
	int kinds = (int)kind;
	size_t i;

	assert(kind == SOCKET_FRESH || kind == SOCKET_LISTENER ||
	       kind == SOCKET_DEAD);
	assert(table[0].name == SO_KEEPALIVE);
	if (!options)
		return NULL;
	options->status = status;
	if (kind != SOCKET_DEAD)
		read_sizes(fd, options);
	if (kind != SOCKET_DEAD || status & O_ASYNC) {
		options->signal = fcntl(fd, F_GETSIG);
		fcntl(fd, F_GETOWN_EX, &options->owner);
	}
	if (kind == SOCKET_DEAD && !(status & O_NONBLOCK))
		kinds |= BLOCKING & ~LISTENER;
	for (i = 0; i < COUNT; i++) {
		if (table[i].kinds & kinds)
			read_value(fd, i, &options->values[i]);
		if (i == 0 && is_on(&options->values[0]))
			kinds |= KEEPALIVE & ~LISTENER;
	}
	return options;
}

int socket_options_equal(const struct socket_options *a,
			 const struct socket_options *b)
{
	return !memcmp(a, b, sizeof *a);
}

/* Who gets the signals of a socket: what was the master's own process, thread
 * or group is this process's. */
static void write_owner(const struct socket_options *options, int fd,
			int master)
{
	struct f_owner_ex owner = options->owner;

	if (options->signal)
		fcntl(fd, F_SETSIG, options->signal);
	if (!owner.pid)
		return;
	if (owner.pid == master)
		owner.pid = getpid();
	else if (owner.type == F_OWNER_PGRP && owner.pid == getpgid(master))
		owner.pid = getpgrp();
	fcntl(fd, F_SETOWN_EX, &owner);
}

static void write_sizes(const struct socket_options *options, int fd)
{
	if (options->sndbuf)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &options->sndbuf,
			   sizeof options->sndbuf);
	if (options->rcvbuf)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &options->rcvbuf,
			   sizeof options->rcvbuf);
}

void socket_options_write(const struct socket_options *options, int fd,
			  int master)
{
	struct value now;
	size_t i;

	for (i = 0; i < COUNT; i++) {
		const struct value *value = &options->values[i];

		if (!value->len)
			continue;
		read_value(fd, i, &now);
		/* equal: to set a default would stop it from following the
		 * system's settings */
		if (now.len && (now.len != value->len ||
				memcmp(now.bytes, value->bytes, now.len)))
			setsockopt(fd, table[i].level, table[i].name,
				   value->bytes, value->len);
	}
	write_sizes(options, fd);
	write_owner(options, fd, master);
	/* last: O_ASYNC begins to send signals */
	fcntl(fd, F_SETFL, options->status);
}
