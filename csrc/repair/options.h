/*
 * repair/options - what a program has set on a socket: file flags, the owner
 * that gets its signals, and options, read as a whole and set on another
 *
 * To keep another option: a line in the table of options.c. Kept wherever the
 * new socket can have them; what cannot be set is left as it is: privileged
 * options without the privilege, IPv6 options on an IPv4 socket. Never kept:
 * memberships of multicast groups and socket filters, which the kernel does
 * not show, and on listeners IPV6_V6ONLY and SO_BINDTODEVICE, which contradict
 * a loopback address.
 */
#ifndef GC_REPAIR_OPTIONS_H
#define GC_REPAIR_OPTIONS_H

#include "base/err.h"

/* What the replacement is; some options make no sense on all. */
enum socket_kind {
	SOCKET_FRESH = 1,
	SOCKET_LISTENER = 2,
	SOCKET_DEAD = 4, /* a TCP connection that is at its end */
};

struct socket_options;

/* Reads those of fd that a replacement of that kind keeps. status: fd's, of
 * fcntl(F_GETFL). The caller frees it. NULL: out of memory. */
struct socket_options *socket_options_read(int fd, int status,
					   enum socket_kind kind);

/* Whether two that were read hold the same. */
int socket_options_equal(const struct socket_options *a,
			 const struct socket_options *b);

/* Sets on fd what differs there. master: the pid that stands for this process
 * among the owners of signals. */
void socket_options_write(const struct socket_options *options, int fd,
			  int master);

#endif
