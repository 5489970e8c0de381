/*
 * backend - how a domain is cloned
 *
 * A const table of functions. The engine gives a clone its vmid, token, address
 * and place; the backend makes it run. The path of a clone:
 *
 *	expect()	a ticket was granted: what can be prepared is
 *	snapshot()	the image of the source  --> image->done()
 *	spawn()		one clone of the image   --> domain_open_channel() or
 *			domain_use_channel(), clone_begun(), domain_watch()
 *	message()	what a domain says that concerns the backend only
 *	admit()		the clone said READY: the last step before it counts
 *	drop()		the image is not needed any more
 *
 * Rules: no answer comes from inside the call that asks. What fails later is
 * reported by image->done() or domain_fail(). No function waits.
 *
 * To add one: a folder with a const struct backend_ops, a line in the list of
 * engine.c, and a line in spec/engine/backend_contract_spec.lua.
 */
#ifndef GC_ENGINE_CORE_BACKEND_H
#define GC_ENGINE_CORE_BACKEND_H

#include <sys/queue.h>

#include "base/err.h"
#include "engine/core/listener.h"
#include "wire/wire.h"

struct backend;
struct client;
struct domain;
struct engine;

/* What clones are made from: a domain at one moment. */
struct image {
	struct domain *source; /* NULL: it has ended */
	int nlisteners;	       /* what each clone is to listen on */
	struct listener listeners[MAX_LISTENERS];
	/* The image is ready, or, err->code negative, never will be. */
	void (*done)(struct image *image, struct err *err);
	/* the backend's own: */
	int number;
	TAILQ_ENTRY(image) link;
	void *data;
};

struct backend_ops {
	const char *clones; /* "processes", "virtual machines": for messages */
	/* The message that orders domain 0 from this backend: WIRE_START ... */
	enum wire_type order;
	/* 1: the image is the live process. A domain that asks for clones of
	 * itself names its listeners, so that there is no snapshot to take; and
	 * clones that are not made yet cannot be when their source has ended. */
	int is_live;
	/* 1: pre-clone and post-clone run inside the domain, by its agent; 0:
	 * the engine runs them. */
	int has_hooks;
	/* Why a clone is late, for the message. */
	const char *late_because;
	/*
	 * Makes domain 0 as the rest of the order says, and makes the backend
	 * ready to clone it; again when that domain has ended. Returns 0 or a
	 * negative code. A failure that shows later is domain 0's.
	 */
	int (*start)(struct backend *b, struct wire_msg *order,
		     struct err *err);
	/* n clones of the domain may be asked for soon; 0: none. May be NULL. */
	void (*expect)(struct backend *b, struct domain *source, int n);
	/* Takes the image of image->source. */
	int (*snapshot)(struct backend *b, struct image *image,
			struct err *err);
	/* Makes one clone at domain->host, as domain->placement says. */
	int (*spawn)(struct backend *b, struct image *image,
		     struct domain *domain, struct err *err);
	/* The image is not needed any more: done() is not called after this. */
	void (*drop)(struct backend *b, struct image *image);
	/* A message from a domain that the backend knows how to read. */
	void (*message)(struct backend *b, struct domain *from,
			struct wire_msg *msg);
	/* The domain said READY. Returns 0, or a negative code where it cannot
	 * serve after all. note: what it said besides, "" for nothing. May be
	 * NULL. */
	int (*admit)(struct backend *b, struct domain *domain, const char *note,
		     struct err *err);
	/* The domain is ready: events have been reported. May be NULL. */
	void (*admitted)(struct backend *b, struct domain *domain);
	/* Asks the domain to end within grace_ms. Returns 1 if it was asked, 0
	 * where SIGTERM for its process does that. May be NULL. */
	int (*stop)(struct backend *b, struct domain *domain, int grace_ms);
	/* The domain's process has ended: corrects its status, or sets its
	 * failure, before that is reported. May be NULL. */
	void (*explain_end)(struct backend *b, struct domain *domain);
	/* The domain has ended; images of it will never be ready. */
	void (*forget)(struct backend *b, struct domain *domain);
	/* Where the viewer reaches the domain if not where the engine does: fills
	 * ip (16 bytes) and *port and returns 1; else 0. May be NULL. */
	int (*endpoint_for)(const struct backend *b,
			    const struct domain *domain,
			    const struct client *viewer, char *ip, int *port);
	/* Whether this child process of the engine is the backend's and not yet
	 * a domain's. May be NULL. */
	int (*owns_child)(const struct backend *b, int pid);
	/* The engine ends: all that is left goes at once. May be NULL. */
	void (*close)(struct backend *b);
};

struct backend {
	const struct backend_ops *ops;
	struct engine *engine;
	void *data; /* the backend's own; NULL: it has started nothing */
};

#endif
