/*
 * proxy/address - socket addresses, and their text (inside the proxy)
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
 * Reads a numeric IP address. The rest of *address is zero, so that the same
 * text always gives the same bytes. -EINVAL: not an address, or not a port.
 */
int address_parse(struct address *address, const char *ip, int port);

/* Writes its text, of up to INET6_ADDRSTRLEN bytes, and its port. */
void address_text(const struct address *address, char *ip, int *port);

/* Turns an IPv4 address that is mapped to IPv6 into a plain one. */
void address_unmap(struct address *address);

#endif
