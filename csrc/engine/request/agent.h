/*
 * engine/request/agent - what the agent of a VM may ask for, on behalf of the
 * programs in it
 *
 * A guest is not trusted: it sees and ends the descendants of its own domain
 * only. The program of the first VM may scale itself (WATCH) if the order said
 * so; it reports as an owner does then.
 */
#ifndef GC_ENGINE_REQUEST_AGENT_H
#define GC_ENGINE_REQUEST_AGENT_H

#include "engine/core/core.h"

/* Handles one message; what it may not say is ignored. */
void request_agent(struct client *client, struct wire_msg *msg);

#endif
