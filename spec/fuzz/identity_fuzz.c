/*
 * Any bytes as messages of the engine to the agent: what IDENTITY says, down
 * to the cards' settings as the kernel is to get them. What is parsed of it is
 * inside its fields, and what it means is what its text says.
 */
#include <assert.h>
#include <stdio.h>
#include <strings.h>

#include "agent/message.c"
#include "agent/network.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t size)
{
	assert(memchr(text, '\0', size));
}

/* A MAC that was understood is the one that the text says. */
static void check_mac(const struct network_card *card,
		      const struct settings *settings)
{
	const unsigned char *mac = settings->mac;
	char text[sizeof card->mac];

	snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0],
		 mac[1], mac[2], mac[3], mac[4], mac[5]);
	assert(!card->mac[0] || strcasecmp(text, card->mac) == 0);
}

static void check_address(const struct network_card *card,
			  const struct settings *settings)
{
	uint32_t mask = ntohl(settings->mask.s_addr);
	char text[INET_ADDRSTRLEN];

	if (!card->address[0])
		return;
	inet_ntop(AF_INET, &settings->address, text, sizeof text);
	assert(strncmp(card->address, text, strlen(text)) == 0);
	assert(card->address[strlen(text)] == '/');
	assert(mask && (~mask & (~mask + 1)) == 0);
}

static void check_card(const struct network_card *card)
{
	struct settings settings;

	check_text(card->mac, sizeof card->mac);
	check_text(card->address, sizeof card->address);
	check_text(card->gateway, sizeof card->gateway);
	if (parse(card, &settings))
		return;
	check_mac(card, &settings);
	check_address(card, &settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct identity identity;
	struct wire_msg msg;
	int i, len;

	for (; (len = wire_decode(data, size, &msg)) > 0;
	     data += len, size -= (size_t)len) {
		if (msg.type != WIRE_IDENTITY)
			continue;
		if (message_identity(&msg, &identity))
			continue;
		assert(identity.ncards <= NETWORK_MAX_CARDS);
		check_text(identity.host, sizeof identity.host);
		check_text(identity.address, sizeof identity.address);
		for (i = 0; i < identity.ncards; i++)
			check_card(&identity.cards[i]);
	}
	return 0;
}
