/* client - see client.h */
#include "engine/core/client.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/core/domain.h"

void client_send_done(struct client *client, int64_t op, const struct err *err)
{
	if (!client)
		return;
	assert(channel_is_open(&client->channel));
	wire_put(channel_out(&client->channel), WIRE_DONE, op,
		 WIRE_INT(err->code), err->code ? err->text : "");
	channel_send(&client->channel);
}

static void free_client(struct loop_source *source)
{
	free(container_of(container_of(source, struct channel, source),
			  struct client, channel));
}

void client_close(struct client *client)
{
	assert(channel_is_open(&client->channel));
	channel_close(&client->channel, free_client);
	LIST_REMOVE(client, link);
	client->engine->events->client_closed(client);
}

static void on_channel_ended(struct channel *channel, int err)
{
	struct client *client = container_of(channel, struct client, channel);

	client->cut_off = err == -ECONNRESET ? 0 : err;
	if (client->cut_off)
		ledger_event(client->engine->ledger, "channel cut",
			     client->vmid, err_text(err), "");
	client_close(client);
}

static void on_message(struct channel *channel, struct wire_msg *msg)
{
	struct client *client = container_of(channel, struct client, channel);

	client->engine->events->message_received(client, msg);
}

struct client *client_new(struct engine *engine, int fd, int may_be)
{
	struct client *client = calloc(1, sizeof *client);

	assert(may_be);
	if (!client || channel_open(&client->channel, &engine->loop, fd,
				    on_message, on_channel_ended)) {
		close(fd);
		free(client);
		return NULL;
	}
	client->engine = engine;
	client->may_be = may_be;
	client->role = CLIENT_UNKNOWN;
	LIST_INSERT_HEAD(&engine->clients, client, link);
	return client;
}

void client_set_role(struct client *client, enum wire_role role)
{
	assert(client->role == CLIENT_UNKNOWN);
	assert(client->may_be & CLIENT_MAY_BE(role));
	client->role = role;
}
