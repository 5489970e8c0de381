/*
 * client - the peer of a channel: the owner, a domain, or a control client
 *
 * Whoever opens the channel says which roles its peer may claim; the peer's
 * first message (HELLO) claims one. The agent in a clone of a VM is the
 * exception: it has said HELLO long before, in the VM that was cloned.
 */
#ifndef GC_ENGINE_CORE_CLIENT_H
#define GC_ENGINE_CORE_CLIENT_H

#include "engine/core/core.h"
#include "wire/channel.h"

#define CLIENT_UNKNOWN -1 /* as a role: it has not said HELLO */

/* A set of roles, of enum wire_role. */
#define CLIENT_MAY_BE(role) (1 << (role))

struct client {
	struct channel channel;
	struct engine *engine;
	int may_be; /* roles that it may claim */
	int role;   /* enum wire_role, or CLIENT_UNKNOWN */
	int pid;    /* of its process, as the kernel says; 0: unknown */
	struct domain *domain; /* NULL: it is none */
	int vmid;	       /* of that domain, 0 without one */
	int cut_off; /* why it was closed, negated errno; 0: it ended by itself */
	int has_spoken; /* since it was last asked about: qemu/heartbeat.h */
	int knows_ping; /* it has sent one */
	int watches;	/* its descendants are reported to it as to an owner */
	int64_t op;	/* of a control client's COMMAND ... */
	int64_t number; /* ... and the number under which it was passed on */
	LIST_ENTRY(client) link; /* engine->clients */
};

/* Makes a client of a connected socket, which is closed on error. Returns NULL
 * then. */
struct client *client_new(struct engine *engine, int fd, int may_be);

/* The client is what it claimed to be. */
void client_set_role(struct client *client, enum wire_role role);

/* Closes the channel, reports client_closed, and frees the client at the end
 * of the turn. */
void client_close(struct client *client);

/* Answers an operation with DONE. client may be NULL: it has gone. */
void client_send_done(struct client *client, int64_t op, const struct err *err);

#endif
