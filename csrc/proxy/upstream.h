/*
 * proxy/upstream - connections to servers (inside the proxy)
 *
 * Each connect makes a new struct upstream, which is freed when the loop has
 * let go of it: an event that was fetched for an old one never meets a new.
 */
#ifndef GC_PROXY_UPSTREAM_H
#define GC_PROXY_UPSTREAM_H

#include <stdbool.h>

#include "base/loop.h"
#include "proxy/address.h"

/* All that belong to one proxy. */
struct upstreams {
	struct loop *loop;
	void (*gone)(struct upstreams *all); /* the loop let go of one */
	struct upstream *first;		     /* that are not freed yet */
	int nopen;
};

struct upstream {
	struct loop_source source;
	struct upstreams *all;
	void *owner; /* whose connection it is; NULL: given up */
	struct address address;
	bool connected;
	bool reused; /* the owner's: it has brought a response before */
	bool deaf;   /* the owner's: a write failed; reading tells the rest */
	struct upstream *next, **link; /* all->first */
};

/*
 * Begins to connect to an address. `ready` is told once that is over, and is
 * to ask upstream_finish() how it went. Returns 1 where that is not needed as
 * the connection is made, 0, or a negated errno, and then *made is as it was.
 */
int upstream_open(struct upstreams *all, const struct address *address,
		  void (*ready)(struct loop_source *, uint32_t),
		  struct upstream **made);

/* The connecting is over. Returns 0: it is connected; or a negated errno. */
int upstream_finish(struct upstream *upstream);

/* Closes it; the owner forgets it. */
void upstream_close(struct upstream *upstream);

/* After a fork: frees the memory of all and touches nothing else. */
void upstreams_forget(struct upstreams *all);

#endif
