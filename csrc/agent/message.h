/*
 * message - what IDENTITY says, checked
 */
#ifndef GC_AGENT_MESSAGE_H
#define GC_AGENT_MESSAGE_H

#include "agent/network.h"
#include "wire/wire.h"

struct identity {
	int64_t snapshot, op, realtime_ns;
	int vmid, port;
	char host[65];
	struct wire_str random; /* good as long as the message */
	int ncards;
	struct network_card cards[NETWORK_MAX_CARDS];
	char address[16]; /* of the last card, without its prefix; "": none */
};

/* Reads it. Returns 0, or -E2BIG: more cards than NETWORK_MAX_CARDS. */
int message_identity(struct wire_msg *msg, struct identity *identity);

#endif
