/*
 * listener - a socket that a program listens on, as the program reports it
 */
#ifndef GC_ENGINE_CORE_LISTENER_H
#define GC_ENGINE_CORE_LISTENER_H

#include "base/err.h"
#include "wire/wire.h"

#define MAX_LISTENERS 62 /* of one program: what FORK carries */

struct listener {
	int family; /* AF_INET, AF_INET6 */
	int type;   /* SOCK_STREAM, SOCK_DGRAM */
	int port;
	int backlog; /* of a stream socket */
};

/*
 * Reads the (family, type, port, backlog) groups that msg ends with. Returns
 * their number, at most MAX_LISTENERS, or a negative code where an address
 * cannot be leased with such a socket.
 */
int listeners_read(struct wire_msg *msg, struct listener *listeners,
		   struct err *err);

#endif
