/*
 * backend - how a domain is cloned
 *
 * A const table of functions. The engine leases vmid, token, address and
 * sockets; the backend makes the domain. All answers come later, through the
 * callbacks of struct backend, never from inside a call; each call is
 * answered once, whatever happens.
 *
 * To add one: a file backend_NAME.c with a const struct backend_ops, and the
 * choice of it where domain 0 is started: engine_open() and on_start_vm().
 */
#ifndef GC_ENGINE_CORE_BACKEND_H
#define GC_ENGINE_CORE_BACKEND_H

#include "base/err.h"
#include "engine/core/scheduler.h"
#include "engine/host/address.h"
#include "wire/wire.h"

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
	void *made;
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
	/* The domain said that it is ready, or, err->code negative, why it
	 * never will be. */
	void (*said)(struct domain *domain, struct err *err);
};

struct backend_ops {
	/*
	 * Makes domain 0 as `order` wants it, which the backend knows the kind
	 * of, and leaves the backend ready to clone it; again, when that has
	 * ended.
	 * Returns 0 or a negative code: then there is no such domain, or it
	 * will be told that it has failed. NULL: domain 0 comes otherwise.
	 */
	int (*start)(struct backend *b, const void *order, struct err *err);
	/* 1: a domain that asks for clones of itself has told of its listeners
	 * all that a snapshot would: none is taken */
	int is_live;
	/* 1: pre-clone and post-clone run inside the domain, by its own agent,
	 * and are not the engine's affair */
	int has_hooks;
	/* n clones of the domain may be asked for soon, 0: none. May be NULL;
	 * answered by nothing. */
	void (*expect)(struct backend *b, struct domain *source, int n);
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
	/* The domain has said READY, or why not; b->said() is the answer. NULL:
	 * it is told to b->said() as it comes. */
	void (*ready)(struct backend *b, struct domain *domain,
		      struct err *err);
	/* Asks the domain to end, within grace_ms. Returns 1 when it was
	 * asked, 0 where a signal to its process has to do. May be NULL. */
	int (*stop)(struct backend *b, struct domain *domain, int grace_ms);
	/* A domain's process has ended, which is told next: sees to its status
	 * and failure. May be NULL. */
	void (*ended)(struct backend *b, struct domain *domain);
	/* A domain has ended; images of it will never be ready. */
	void (*gone)(struct backend *b, struct domain *domain);
	/* The engine ends: all that is left goes at once. May be NULL. */
	void (*close)(struct backend *b);
};

extern const struct backend_ops backend_fork;
extern const struct backend_ops backend_qemu;

#endif
