/* engine/request/control - see engine/request/control.h */
#include "engine/request/control.h"

#include <assert.h>
#include <errno.h>

#include "engine/core/client.h"
#include "engine/core/domain.h"
#include "engine/request/domain.h"

static void on_status(struct client *client, struct wire_msg *msg)
{
	struct engine *engine = client->engine;
	struct wire_buf *out = channel_out(&client->channel);
	int64_t op = wire_int(msg);
	int total = 0, left = 0, code;

	engine->scheduler.ops->capacity(&engine->scheduler, &total, &left);
	wire_begin(out, WIRE_STATE, 0);
	wire_put_int(out, op);
	wire_put_text(out, engine->name);
	wire_put_int(out, total);
	wire_put_int(out, left);
	wire_put_text(out, engine->report ? engine->report : "");
	request_put_domains(client, out);
	code = wire_end(out);
	if (code)
		wire_put(out, WIRE_ANSWER, op, WIRE_INT(code), err_text(code));
	channel_send(&client->channel);
}

/* The client that answers commands: the program in a VM that scales itself, or
 * the owner. */
static struct client *find_controller(const struct engine *engine)
{
	struct client *client;

	LIST_FOREACH(client, &engine->clients, link)
		if (client->watches)
			return client;
	return engine->owner;
}

static void on_command(struct client *client, struct wire_msg *msg)
{
	struct client *owner = find_controller(client->engine);
	struct wire_buf *out;
	struct wire_str json;

	client->op = wire_int(msg);
	json = wire_str(msg);
	if (!owner) {
		wire_put(channel_out(&client->channel), WIRE_ANSWER, client->op,
			 WIRE_INT(-ECONNRESET), "no controller");
		channel_send(&client->channel);
		return;
	}
	client->number = ++client->engine->last_number;
	out = channel_out(&owner->channel);
	wire_begin(out, WIRE_COMMAND, 0);
	wire_put_int(out, client->number);
	wire_put_str(out, json.p, json.len);
	wire_end(out);
	channel_send(&owner->channel);
}

void request_control(struct client *client, struct wire_msg *msg)
{
	assert(client->role == ROLE_CONTROL && !client->domain);
	if (msg->type == WIRE_STATUS)
		on_status(client, msg);
	else if (msg->type == WIRE_COMMAND)
		on_command(client, msg);
}
