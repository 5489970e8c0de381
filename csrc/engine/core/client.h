/*
 * client - somebody at the other end of a channel: the owner, a domain, or a
 * control client, as its first message (HELLO) says and must prove
 */
#ifndef GC_ENGINE_CORE_CLIENT_H
#define GC_ENGINE_CORE_CLIENT_H

#include "engine/core/core.h"
#include "wire/channel.h"

struct client {
	struct channel channel;
	struct engine *engine;
	int role;	       /* enum wire_role; -1 until HELLO */
	struct domain *domain; /* which it is; NULL: none */
	int vmid;	       /* of that domain, 0 without one */
	int cut;	/* why it went, negated errno; 0: it ended by itself */
	int has_spoken; /* since it was last asked about: heartbeat.h */
	int knows_ping; /* it has sent one */
	int watches;	/* it is told of the domains that come from its
				* own */
	int64_t op;	/* of a control client's COMMAND ... */
	int64_t number; /* ... and that under which it was passed on */
	struct client *next, **self;
};

/* Starts a client on a connected socket. NULL on error; fd is closed then. */
struct client *client_new(struct engine *engine, int fd);

/* Ends a client, and has what it had and waited for let go. */
void client_drop(struct client *client);

/* One answer DONE. client may be NULL: it has gone. */
void client_done(struct client *client, int64_t op, const struct err *err);

#endif
