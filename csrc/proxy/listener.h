/*
 * proxy/listener - accepts as long as there is room (inside the proxy)
 *
 * Out of connections or descriptors, accepting pauses and clients wait in the
 * kernel's queue; nothing is accepted only to be dropped. It goes on when its
 * owner has room again, or a moment later where others hold the descriptors.
 */
#ifndef GC_PROXY_LISTENER_H
#define GC_PROXY_LISTENER_H

#include <stdbool.h>

#include "base/err.h"
#include "base/loop.h"
#include "proxy/address.h"

struct listener;

/* What its owner answers and is told. */
struct listener_ops {
	/* Whether one more may be accepted. */
	bool (*has_room)(const struct listener *listener);
	/* Takes the socket over; on error it is closed. May change *peer. */
	int (*accepted)(struct listener *listener, int fd,
			struct address *peer);
	/* After listener_close(): the loop has let go of it. */
	void (*closed)(struct listener *listener);
};

struct listener {
	struct loop *loop;
	const struct listener_ops *ops;
	struct loop_source source;
	struct loop_timer resume; /* accepting, when out of files */
	bool opened;		  /* it has been; it is not twice */
	bool paused;
};

void listener_init(struct listener *listener, struct loop *loop,
		   const struct listener_ops *ops);

/* Listens there, once; on failure err says what and why. Port 0: any. */
int listener_open(struct listener *listener, const char *host, int port,
		  struct err *err);

/* Where: text of INET6_ADDRSTRLEN bytes, port. -ENOTCONN: nowhere. */
int listener_address(const struct listener *listener, char *ip, int *port);

/* Goes on accepting where it was paused and there is room again. */
void listener_resume(struct listener *listener);

/* Stops listening; harmless when it does not. */
void listener_close(struct listener *listener);

#endif
