/* engine/request/owner - see engine/request/owner.h */
#include "engine/request/owner.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/core/client.h"
#include "engine/core/domain.h"
#include "engine/request/domain.h"

/* Puts the backend that knows the order in the place of another one, which has
 * no domains left. */
static int choose_backend(struct engine *engine, enum wire_type order,
			  struct err *err)
{
	struct backend *backend = &engine->backend;
	const struct backend_ops *const *ops = engine->backends;

	while ((*ops)->order != order)
		ops++;
	if (*ops == backend->ops)
		return 0;
	if (!TAILQ_EMPTY(&engine->domains))
		return err_say(err, -EBUSY, "%s are being cloned here",
			       backend->ops->clones);
	if (backend->ops->close && backend->data)
		backend->ops->close(backend);
	assert(!backend->data);
	backend->ops = *ops;
	return 0;
}

/* START and START_VM: what is cloned. */
static void on_start(struct client *client, struct wire_msg *msg)
{
	struct engine *engine = client->engine;
	int64_t op = wire_int(msg);
	struct err err = { 0 };

	if (domain_find(engine, 0))
		err_say(&err, -EALREADY, "the program is running");
	else if (!choose_backend(engine, msg->type, &err))
		engine->backend.ops->start(&engine->backend, msg, &err);
	client_send_done(client, op, &err);
}

static void on_event(struct client *client, struct wire_msg *msg)
{
	char what[64], text[1024], json[16384];
	int vmid;

	wire_copy(msg, what, sizeof what);
	vmid = (int)wire_int(msg);
	wire_copy(msg, text, sizeof text);
	wire_copy(msg, json, sizeof json);
	/* a VM reports events of its descendants only */
	if (client->role == ROLE_AGENT &&
	    !lineage_is_below(&client->engine->lineage, vmid, client->vmid))
		vmid = client->vmid;
	ledger_event(client->engine->ledger, what, vmid, text, json);
}

static void on_report(struct client *client, struct wire_msg *msg)
{
	struct wire_str s = wire_str(msg);
	char *report = strndup(s.p, s.len);

	if (!report)
		return;
	free(client->engine->report);
	client->engine->report = report;
}

static void on_bye(struct client *client, struct wire_msg *msg)
{
	domain_end_all(client->engine, (int)wire_int(msg));
}

/* The owner's answer to a command, which was passed on to it under a number that
 * the control client keeps. */
static void on_answer(struct client *owner, struct wire_msg *msg)
{
	int64_t number = wire_int(msg);
	int code = (int)wire_int(msg);
	struct wire_str text = wire_str(msg);
	struct client *client;

	if (!number)
		return; /* the number of clients that wait for nothing */
	LIST_FOREACH(client, &owner->engine->clients, link) {
		struct wire_buf *out = channel_out(&client->channel);

		if (client->role != ROLE_CONTROL || client->number != number)
			continue;
		wire_begin(out, WIRE_ANSWER, 0);
		wire_put_int(out, client->op);
		wire_put_int(out, code);
		wire_put_str(out, text.p, text.len);
		wire_end(out);
		channel_send(&client->channel);
		client->number = 0;
	}
}

void request_owner(struct client *client, struct wire_msg *msg)
{
	int64_t op;
	int vmid;

	assert(client == client->engine->owner || client->watches);
	switch (msg->type) {
	case WIRE_START:
	case WIRE_START_VM: on_start(client, msg); break;
	case WIRE_STOP:
		op = wire_int(msg);
		vmid = (int)wire_int(msg);
		request_end_domain(client, op, vmid, (int)wire_int(msg));
		break;
	case WIRE_EVENT: on_event(client, msg); break;
	case WIRE_REPORT: on_report(client, msg); break;
	case WIRE_ANSWER: on_answer(client, msg); break;
	case WIRE_BYE: on_bye(client, msg); break;
	default: break;
	}
}
