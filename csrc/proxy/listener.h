/*
 * proxy/listener - accepts as long as there is room (inside the proxy)
 *
 * Without room for more connections, or without descriptors, accepting pauses
 * and clients wait in the kernel's queue: no connection is accepted only to be
 * dropped. Accepting resumes when the owner has room again, and after a moment
 * where others use up the descriptors.
 */
#ifndef GC_PROXY_LISTENER_H
#define GC_PROXY_LISTENER_H

#include <stdbool.h>

#include "base/err.h"
#include "base/loop.h"
#include "proxy/address.h"

struct listener;

/* What its owner provides. */
struct listener_ops {
	/* Whether one more may be accepted. */
	bool (*has_room)(const struct listener *listener);
	/* Takes over the socket; on error it is closed. May change *peer. */
	int (*accepted)(struct listener *listener, int fd,
			struct address *peer);
	/* After listener_close(): the loop has released the socket. */
	void (*closed)(struct listener *listener);
};

struct listener {
	struct loop *loop;
	const struct listener_ops *ops;
	struct loop_source source;
	struct loop_timer resume; /* accepting, after it ran out of files */
	bool opened;		  /* once; it is not opened again */
	bool paused;		  /* not accepting for lack of room */
};

void listener_init(struct listener *listener, struct loop *loop,
		   const struct listener_ops *ops);

/*
 * Listens on an address and port (0: any free one), once. On failure err says
 * what failed and why.
 */
int listener_open(struct listener *listener, const char *host, int port,
		  struct err *err);

/*
 * Where it listens: text of up to INET6_ADDRSTRLEN bytes, and port. -ENOTCONN:
 * nowhere.
 */
int listener_address(const struct listener *listener, char *ip, int *port);

/* Resumes accepting where it was paused and there is room again. */
void listener_resume(struct listener *listener);

/* Accepts the connections that are already made, as far as there is room. */
void listener_drain(struct listener *listener);

/* Stops listening; harmless when it does not listen. */
void listener_close(struct listener *listener);

#endif
