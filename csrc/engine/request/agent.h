/*
 * engine/request/agent - what the agent of a VM may ask, for the programs in it
 *
 * A guest is not trusted: it sees and ends the domains that come from its own,
 * and no others. Only the first VM's program may scale itself (WATCH), where it
 * is to; it tells of itself then as an owner does.
 */
#ifndef GC_ENGINE_REQUEST_AGENT_H
#define GC_ENGINE_REQUEST_AGENT_H

#include "engine/core/core.h"

/* One message; what it may not say is passed over. */
void request_agent(struct client *client, struct wire_msg *msg);

#endif
