/*
 * backend - how a domain is cloned
 *
 * A const table of functions. The engine leases vmid, token, address and
 * sockets; the backend makes the domain. All answers come later, through the
 * callbacks of struct backend, never from inside a call; each call is
 * answered once, whatever happens.
 *
 * To add one: a file backend_NAME.c with a const struct backend_ops, and the
 * choice of it in engine_open().
 */
#ifndef GC_ENGINE_BACKEND_H
#define GC_ENGINE_BACKEND_H

#include "../err.h"
#include "../wire.h"
#include "address.h"
#include "scheduler.h"

struct domain;
struct engine;

/* What clones are made from: a domain at one moment. */
struct image {
	struct domain *source;
	int nlisteners; /* what each clone is to listen on */
	struct listener listeners[ADDRESS_MAX_LISTENERS];
	/* the backend's own: */
	int number;
	struct image *next;
};

struct backend {
	const struct backend_ops *ops;
	struct engine *engine;
	void *data;
	/* err->code 0: the image is ready. */
	void (*snapshotted)(struct image *image, struct err *err);
	/* The domain exists as process pid (its readiness is its own word, on
	 * its channel), or, err->code negative, will never. */
	void (*spawned)(struct domain *domain, int pid, struct err *err);
};

struct backend_ops {
	/* Takes the image of image->source. */
	int (*snapshot)(struct backend *b, struct image *image,
			struct err *err);
	/* Makes one domain of the image at a place; domain has its vmid,
	 * token, lease and the far end of its channel already, which is the
	 * backend's from now on. */
	int (*spawn)(struct backend *b, struct image *image,
		     struct domain *domain, const struct placement *at,
		     struct err *err);
	/* The image is not needed any more; a snapshot under way is not
	 * answered then. */
	void (*drop)(struct backend *b, struct image *image);
	/* A message from a domain that is the backend's affair. */
	void (*message)(struct backend *b, struct domain *from,
			struct wire_msg *msg);
	/* A domain has ended; images of it will never be ready. */
	void (*gone)(struct backend *b, struct domain *domain);
};

extern const struct backend_ops backend_fork;

#endif
