/*
 * engine/request/domain - what any domain may ask of the engine, and owners, too
 */
#ifndef GC_ENGINE_REQUEST_DOMAIN_H
#define GC_ENGINE_REQUEST_DOMAIN_H

#include "engine/core/core.h"

/* One message. Returns 0 where it is none of these. */
int request_domain(struct client *client, struct wire_msg *msg);

/* The scheduler has answered: engine->ticket_answered. */
void request_ticket_answered(struct ticket *ticket, struct err *err);

/* Whether a client may know of a domain, and end it. */
int request_may_touch(const struct client *client, const struct domain *domain);

/* Writes (vmid, pid, state, host, endpoints) for each domain that the client
 * may know of. */
void request_put_domains(const struct client *client, struct wire_buf *out);

/* KILL and STOP: grace_ms 0 is at once. */
void request_end_domain(struct client *client, int64_t op, int vmid,
			int grace_ms);

#endif
