/*
 * message - reads IDENTITY
 */
#ifndef GC_AGENT_MESSAGE_H
#define GC_AGENT_MESSAGE_H

#include "agent/network.h"
#include "wire/wire.h"

struct identity {
	int64_t snapshot, op, realtime_ns;
	int vmid, port;
	char host[65];
	struct wire_str random; /* valid as long as the message */
	int ncards;
	struct network_card cards[NETWORK_MAX_CARDS];
	char address[16]; /* of the last card, without its prefix; "": none */
};

/* Reads the message. Returns 0, or -E2BIG for more than NETWORK_MAX_CARDS
 * cards. */
int message_identity(struct wire_msg *msg, struct identity *identity);

#endif
