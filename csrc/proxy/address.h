/*
 * proxy/address - socket addresses, and their text (inside the proxy)
 *
 * In the names of functions the file goes without its "proxy_", as do all of
 * the proxy's.
 */
#ifndef GC_PROXY_ADDRESS_H
#define GC_PROXY_ADDRESS_H

#include <netinet/in.h>

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t len;
};

/*
 * Reads a numeric IP address; the rest of *address is zero, so that two of
 * one text are equal byte for byte. -EINVAL: it is none, or no port.
 */
int address_parse(struct address *address, const char *ip, int port);

/* Its text, into INET6_ADDRSTRLEN bytes, and its port. */
void address_text(const struct address *address, char *ip, int *port);

/* An IPv4 address in the clothes of IPv6 becomes a plain one. */
void address_unmap(struct address *address);

#endif
