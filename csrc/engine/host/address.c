/* address - see address.h */
#include "engine/host/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/net/block.h"

#define LAST_HOST 65534
#define RESUME_MS 100 /* out of descriptors: until the next try */
#define AT_ONCE	  64  /* connections or datagrams taken in one turn */
#define RELIEF	  16  /* descriptors that are given back at a time */

int addresses_open(struct addresses *addresses, struct loop *loop,
		   struct err *err)
{
	int claim;

	memset(addresses, 0, sizeof *addresses);
	addresses->loop = loop;
	addresses->next = 1;
	TAILQ_INIT(&addresses->retired);
	claim = block_claim_any(&addresses->block);
	addresses->claim = claim < 0 ? -1 : claim;
	return claim < 0 ? err_set(err, claim, "claim one of 127.%d to 127.%d",
				   BLOCK_FIRST, BLOCK_LAST)
			 : 0;
}

/* Closes the engine's copies, watched or not. */
static void close_sockets(struct address *address)
{
	struct lease *lease = &address->lease;
	int i;

	for (i = 0; i < lease->nsockets; i++) {
		loop_release(&address->watches[i].source);
		close(lease->sockets[i].fd);
	}
	lease->nsockets = 0;
}

void addresses_close(struct addresses *addresses)
{
	struct address *address;

	if (addresses->claim < 0)
		return;
	loop_timer_stop(&addresses->resume);
	while ((address = SLIST_FIRST(&addresses->all))) {
		SLIST_REMOVE_HEAD(&addresses->all, link);
		close_sockets(address);
		free(address);
	}
	TAILQ_INIT(&addresses->retired);
	close(addresses->claim);
	addresses->claim = -1;
}

/* ---- sockets ------------------------------------------------------------ */

/* Writes ip and port as the family has it: an IPv6 socket gets the address
 * mapped, and serves connections made over IPv4. Returns the length. */
static socklen_t fill_address(struct sockaddr_storage *to, const char *ip,
			      const struct listener *l)
{
	struct sockaddr_in *in = (struct sockaddr_in *)to;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;
	struct in_addr v4;

	memset(to, 0, sizeof *to);
	inet_pton(AF_INET, ip, &v4);
	if (l->family == AF_INET) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)l->port);
		in->sin_addr = v4;
		return sizeof *in;
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons((uint16_t)l->port);
	in6->sin6_addr.s6_addr[10] = in6->sin6_addr.s6_addr[11] = 0xff;
	memcpy(in6->sin6_addr.s6_addr + 12, &v4, sizeof v4);
	return sizeof *in6;
}

static int set_options(int fd, const struct listener *l)
{
	static const int on = 1, off = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0)
		return -errno;
	if (l->family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0)
		return -errno;
	return 0;
}

/* What a program told us came over a channel: it can be anything. */
static int is_sound(const struct listener *l)
{
	return (l->family == AF_INET || l->family == AF_INET6) &&
	       (l->type == SOCK_STREAM || l->type == SOCK_DGRAM) &&
	       l->port > 0 && l->port < 65536;
}

/* Makes the socket for l at ip. Returns the descriptor or a negated errno. */
static int open_socket(const char *ip, const struct listener *l)
{
	struct sockaddr_storage addr;
	int fd, err;

	if (!is_sound(l))
		return -EINVAL;
	fd = socket(l->family, l->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	err = set_options(fd, l);
	if (err)
		goto out;
	if (bind(fd, (struct sockaddr *)&addr, fill_address(&addr, ip, l)) < 0)
		err = -errno;
	else if (l->type == SOCK_STREAM && listen(fd, l->backlog) < 0)
		err = -errno;
out:
	if (err)
		close(fd);
	return err ? err : fd;
}

/* Fills fds with a socket for each that is wanted. On error none is left. */
static int open_sockets(const char *ip, const struct listener *wanted, int n,
			int *fds, struct err *err)
{
	int i, fd;

	for (i = 0; i < n; i++) {
		fd = open_socket(ip, &wanted[i]);
		if (fd < 0)
			goto out;
		fds[i] = fd;
	}
	return 0;
out:
	err_set(err, fd, "%s port %d%s", ip, wanted[i].port,
		wanted[i].type == SOCK_DGRAM ? " (UDP)" : "");
	while (i-- > 0)
		close(fds[i]);
	return fd;
}

/* ---- retired addresses -------------------------------------------------- */

static void on_resume(struct loop_timer *timer);

/* Tries the socket again later: there is no descriptor or memory now. */
static void put_off(struct address_watch *watch)
{
	struct addresses *addresses = watch->address->addresses;

	loop_release(&watch->source);
	loop_timer_start(addresses->loop, &addresses->resume, RESUME_MS,
			 on_resume);
}

/* Resets the next connection that waits. Returns 0 or a negated errno. */
static int reset_next(int fd)
{
	static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	if (conn < 0)
		return -errno;
	setsockopt(conn, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(conn);
	return 0;
}

/* Resets what waits, with a limit: a flood must not keep the engine from its
 * work. The watch is level-triggered, so that the rest is reported again. */
static void on_readable(struct loop_source *source, uint32_t events)
{
	struct address_watch *watch =
		container_of(source, struct address_watch, source);
	int i;

	assert(watch->address->retired_ms);
	for (i = 0; i < AT_ONCE; i++) {
		switch (-reset_next(source->fd)) {
		case EAGAIN: return;
		case EINVAL: /* no listener: it would report that for ever */
			loop_release(source);
			return;
		case EMFILE: /* it stays readable */
		case ENFILE:
		case ENOMEM:
		case ENOBUFS: put_off(watch); return;
		default: break; /* done, or an error of that connection */
		}
	}
}

/* Lets the kernel drop what arrives at a datagram socket. */
static void silence(int fd)
{
	struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { .len = 1, .filter = &drop };

	setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

static void watch_socket(struct address *address, int i)
{
	const struct lease_socket *sock = &address->lease.sockets[i];
	struct address_watch *watch = &address->watches[i];

	if (sock->is.type != SOCK_STREAM ||
	    (watch->source.loop && watch->source.fd >= 0))
		return;
	watch->address = address;
	if (loop_add(address->addresses->loop, &watch->source, sock->fd,
		     EPOLLIN, on_readable))
		put_off(watch);
}

static void on_resume(struct loop_timer *timer)
{
	struct addresses *addresses =
		container_of(timer, struct addresses, resume);
	struct address *address;
	int i;

	TAILQ_FOREACH(address, &addresses->retired, retired_link)
		for (i = 0; i < address->lease.nsockets; i++)
			watch_socket(address, i);
}

static void append_retired(struct address *address)
{
	assert(!address->retired_ms);
	address->retired_ms = loop_now();
	TAILQ_INSERT_TAIL(&address->addresses->retired, address, retired_link);
}

void address_retire(struct lease *lease)
{
	struct address *address = container_of(lease, struct address, lease);
	int i;

	append_retired(address);
	for (i = 0; i < lease->nsockets; i++) {
		const struct lease_socket *sock = &lease->sockets[i];

		/* the dead clone shared this socket: it may have made it
		 * blocking, or shut it down */
		fcntl(sock->fd, F_SETFL, O_NONBLOCK);
		if (sock->is.type == SOCK_STREAM)
			listen(sock->fd, SOMAXCONN);
		else
			silence(sock->fd);
		watch_socket(address, i);
	}
}

int address_relieve(struct addresses *addresses)
{
	struct address *address;
	int n = 0;

	TAILQ_FOREACH(address, &addresses->retired, retired_link) {
		n += address->lease.nsockets;
		close_sockets(address);
		if (n >= RELIEF)
			break;
	}
	return n;
}

/* ---- leasing ------------------------------------------------------------ */

/* The address that was retired first, if it has rested long enough. */
static struct address *take_retired(struct addresses *addresses)
{
	struct address *address = TAILQ_FIRST(&addresses->retired);

	if (!address ||
	    loop_now() - address->retired_ms < ADDRESS_QUARANTINE_MS)
		return NULL;
	TAILQ_REMOVE(&addresses->retired, address, retired_link);
	address->retired_ms = 0;
	return address;
}

/* An address that was never leased. */
static struct address *make_address(struct addresses *addresses,
				    struct err *err)
{
	struct address *address;

	if (addresses->next > LAST_HOST) {
		err_set(err, -EADDRNOTAVAIL, "all addresses of 127.%d",
			addresses->block);
		return NULL;
	}
	address = calloc(1, sizeof *address);
	if (!address) {
		err_set(err, -ENOMEM, "lease an address");
		return NULL;
	}
	snprintf(address->lease.ip, sizeof address->lease.ip, "127.%d.%d.%d",
		 addresses->block, addresses->next >> 8,
		 addresses->next & 0xff);
	addresses->next++;
	address->addresses = addresses;
	address->lease.host = addresses->host;
	SLIST_INSERT_HEAD(&addresses->all, address, link);
	return address;
}

/* Puts new sockets in the place of those that the address has. */
static void replace_sockets(struct address *address,
			    const struct listener *wanted, const int *fds,
			    int n)
{
	struct lease *lease = &address->lease;
	int i;

	close_sockets(address);
	for (i = 0; i < n; i++) {
		lease->sockets[i].fd = fds[i];
		lease->sockets[i].is = wanted[i];
	}
	lease->nsockets = n;
}

struct lease *address_lease(struct addresses *addresses,
			    const struct listener *wanted, int n,
			    struct err *err)
{
	int fds[MAX_LISTENERS], code;
	struct address *address;

	if (n > MAX_LISTENERS) {
		err_say(err, -E2BIG, "%d listeners, more than %d", n,
			MAX_LISTENERS);
		return NULL;
	}
	address = take_retired(addresses);
	if (!address)
		address = make_address(addresses, err);
	if (!address)
		return NULL;
	do
		code = open_sockets(address->lease.ip, wanted, n, fds, err);
	while ((code == -EMFILE || code == -ENFILE) &&
	       address_relieve(addresses));
	if (code) {
		/* another program listens there: it is tried after a rest */
		append_retired(address);
		return NULL;
	}
	err->code = 0;
	replace_sockets(address, wanted, fds, n);
	return &address->lease;
}

void address_check(const struct addresses *addresses)
{
	const struct address *address;
	int i, all = 0, retired = 0, rest = 0;

	SLIST_FOREACH(address, &addresses->all, link) {
		all++;
		retired += address->retired_ms != 0;
		assert(address->addresses == addresses);
		assert(address->lease.host == addresses->host);
		for (i = 0; i < address->lease.nsockets; i++)
			assert(address->lease.sockets[i].fd >= 0);
		for (i = 0; !address->retired_ms && i < MAX_LISTENERS; i++)
			assert(!address->watches[i].source.loop ||
			       address->watches[i].source.fd < 0);
	}
	TAILQ_FOREACH(address, &addresses->retired, retired_link)
		rest++;
	assert(all == addresses->next - 1);
	assert(retired == rest);
}
