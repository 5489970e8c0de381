/* proxy/address - see proxy/address.h */
#include "proxy/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

int address_parse(struct address *address, const char *ip, int port)
{
	memset(address, 0, sizeof *address);
	if (port < 1 || port > 65535)
		return -EINVAL;
	if (inet_pton(AF_INET, ip, &address->v4.sin_addr) == 1) {
		address->v4.sin_family = AF_INET;
		address->v4.sin_port = htons((in_port_t)port);
		address->len = sizeof address->v4;
		return 0;
	}
	if (inet_pton(AF_INET6, ip, &address->v6.sin6_addr) != 1)
		return -EINVAL;
	address->v6.sin6_family = AF_INET6;
	address->v6.sin6_port = htons((in_port_t)port);
	address->len = sizeof address->v6;
	return 0;
}

void address_text(const struct address *address, char *ip, int *port)
{
	bool v6 = address->any.sa_family == AF_INET6;
	const void *at = v6 ? (const void *)&address->v6.sin6_addr
			    : (const void *)&address->v4.sin_addr;

	*port = ntohs(v6 ? address->v6.sin6_port : address->v4.sin_port);
	inet_ntop(v6 ? AF_INET6 : AF_INET, at, ip, INET6_ADDRSTRLEN);
}

void address_unmap(struct address *address)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	const struct sockaddr_in6 *v6 = &address->v6;

	if (address->any.sa_family != AF_INET6 ||
	    !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return;
	v4.sin_port = v6->sin6_port;
	memcpy(&v4.sin_addr, &v6->sin6_addr.s6_addr[12], sizeof v4.sin_addr);
	address->v4 = v4;
	address->len = sizeof v4;
}
