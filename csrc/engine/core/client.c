/* client - see client.h */
#include "engine/core/client.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void client_done(struct client *client, int64_t op, const struct err *err)
{
	if (!client)
		return;
	wire_put(channel_out(&client->channel), WIRE_DONE, op,
		 WIRE_INT(err->code), err->code ? err->text : "");
	channel_send(&client->channel);
}

static void free_client(struct loop_source *source)
{
	free(container_of(container_of(source, struct channel, source),
			  struct client, channel));
}

void client_drop(struct client *client)
{
	channel_close(&client->channel, free_client);
	*client->self = client->next;
	if (client->next)
		client->next->self = client->self;
	client->engine->client_gone(client);
}

static void on_ended(struct channel *channel, int err)
{
	struct client *client = container_of(channel, struct client, channel);

	client->cut = err == -ECONNRESET ? 0 : err;
	if (client->cut)
		ledger_event(client->engine->ledger, "channel cut",
			     client->vmid, err_text(err), "");
	client_drop(client);
}

static void on_message(struct channel *channel, struct wire_msg *msg)
{
	struct client *client = container_of(channel, struct client, channel);

	client->engine->client_said(client, msg);
}

struct client *client_new(struct engine *engine, int fd)
{
	struct client *client = calloc(1, sizeof *client);

	if (!client || channel_open(&client->channel, &engine->loop, fd,
				    on_message, on_ended)) {
		close(fd);
		free(client);
		return NULL;
	}
	client->engine = engine;
	client->role = -1;
	client->next = engine->clients;
	client->self = &engine->clients;
	if (client->next)
		client->next->self = &client->next;
	engine->clients = client;
	return client;
}
