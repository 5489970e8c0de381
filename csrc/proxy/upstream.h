/*
 * proxy/upstream - connections to servers (inside the proxy)
 *
 * Each connect makes a new struct upstream, which is freed when the loop has
 * released it, so that an event fetched for an old one never reaches a new one.
 */
#ifndef GC_PROXY_UPSTREAM_H
#define GC_PROXY_UPSTREAM_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/loop.h"
#include "proxy/address.h"

/* All that belong to one proxy. */
struct upstreams {
	struct loop *loop;
	void (*released)(struct upstreams *all); /* the loop released one */
	LIST_HEAD(upstream_list, upstream) list; /* that are not freed yet */
	int nopen;				 /* that are not closed */
};

struct upstream {
	struct loop_source source;
	struct upstreams *all;
	void *owner; /* whose connection it is; NULL: closed */
	struct address address;
	bool connected;
	/* the owner's */
	bool reused;	 /* it has brought a response before */
	bool deaf;	 /* a write has failed; reading tells the rest */
	uint64_t nsent;	 /* bytes written to it */
	uint64_t ntaken; /* of these: acknowledged when last looked at */
	LIST_ENTRY(upstream) link;
};

void upstreams_init(struct upstreams *all, struct loop *loop,
		    void (*released)(struct upstreams *all));

/*
 * Begins to connect to an address. Returns 1 where the connection is made at
 * once; 0 where `ready` will be called, which asks upstream_result() how it
 * went; or a negated errno, and then *upstream is unchanged.
 */
int upstream_open(struct upstreams *all, const struct address *address,
		  void (*ready)(struct loop_source *, uint32_t),
		  struct upstream **upstream);

/* How connecting went: 0, and it is connected; or a negated errno. */
int upstream_result(struct upstream *upstream);

/* Closes it; the owner drops its pointer. */
void upstream_close(struct upstream *upstream);

/* After a fork: frees the memory of all and touches nothing else. */
void upstreams_forget(struct upstreams *all);

#endif
