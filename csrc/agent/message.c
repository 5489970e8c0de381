/* message - see message.h */
#include "agent/message.h"

#include <errno.h>
#include <string.h>

static void copy_address(struct identity *identity, const char *address)
{
	size_t len = strcspn(address, "/");

	if (len == 0 || len >= sizeof identity->address)
		return;
	memcpy(identity->address, address, len);
	identity->address[len] = '\0';
}

int message_identity(struct wire_msg *msg, struct identity *identity)
{
	memset(identity, 0, sizeof *identity);
	identity->snapshot = wire_int(msg);
	identity->vmid = (int)wire_int(msg);
	identity->op = wire_int(msg);
	wire_copy(msg, identity->host, sizeof identity->host);
	identity->realtime_ns = wire_int(msg);
	identity->random = wire_str(msg);
	identity->port = (int)wire_int(msg);
	while (wire_more(msg)) {
		struct network_card *card;

		if (identity->ncards == NETWORK_MAX_CARDS)
			return -E2BIG;
		card = &identity->cards[identity->ncards++];
		wire_copy(msg, card->mac, sizeof card->mac);
		wire_copy(msg, card->address, sizeof card->address);
		wire_copy(msg, card->gateway, sizeof card->gateway);
		copy_address(identity, card->address);
	}
	return 0;
}
