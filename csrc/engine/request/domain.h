/*
 * engine/request/domain - what any domain may ask for, and owners as well
 */
#ifndef GC_ENGINE_REQUEST_DOMAIN_H
#define GC_ENGINE_REQUEST_DOMAIN_H

#include "engine/core/core.h"

/* Handles one message. Returns 0 where it is none of these. */
int request_domain(struct client *client, struct wire_msg *msg);

/* events->ticket_answered. */
void request_ticket_answered(struct ticket *ticket, const struct err *err);

/* Reports the new state of a domain to the owner, and to each program that
 * scales itself and cloned it. */
void request_report_domain(const struct domain *domain, const char *text);

/* Whether a client may know of a domain, and end it: a VM of its descendants
 * only. */
int request_may_touch(const struct client *client, const struct domain *domain);

/* Writes (vmid, pid, state, host, endpoints) for each domain that the client
 * may know of. */
void request_put_domains(const struct client *client, struct wire_buf *out);

/* KILL and STOP. grace_ms 0: at once. */
void request_end_domain(struct client *client, int64_t op, int vmid,
			int grace_ms);

#endif
