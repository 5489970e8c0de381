/* engine/request/owner - see engine/request/owner.h */
#include "engine/request/owner.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "engine/core/client.h"
#include "engine/core/domain.h"
#include "engine/fork/program.h"
#include "engine/qemu/qemu.h"
#include "engine/request/domain.h"

#define MAX_ARGS 1000 /* of a program */

/* ---- what is cloned ---------------------------------------------------- */

static void on_start(struct client *client, struct wire_msg *msg)
{
	char dir[PATH_MAX], *argv[MAX_ARGS + 1];
	int64_t op = wire_int(msg);
	int port = (int)wire_int(msg), n = 0;
	struct err err = { 0 };

	wire_copy(msg, dir, sizeof dir);
	while (wire_more(msg) && n < MAX_ARGS) {
		struct wire_str s = wire_str(msg);

		argv[n] = strndup(s.p, s.len);
		if (!argv[n])
			err_set(&err, -ENOMEM, "start");
		else
			n++;
	}
	argv[n] = NULL;
	if (n == 0)
		err_say(&err, -EINVAL, "no program to start");
	if (!err.code)
		program_start(client->engine, port, dir, argv, &err);
	client_done(client, op, &err);
	while (n > 0)
		free(argv[--n]);
}

/* Copies a word; 1 when it was too long. */
static int copy_word(struct wire_msg *msg, char *word, size_t size)
{
	struct wire_msg peek = *msg;
	int is_long = wire_str(&peek).len >= size;

	wire_copy(msg, word, size);
	return is_long;
}

static int vm_number(int64_t value, int64_t most, struct err *err)
{
	if (value < 0 || value > most)
		err_say(err, -EINVAL, "virtual machine: %lld is out of range",
			(long long)value);
	return (int)value;
}

static void on_start_vm(struct client *client, struct wire_msg *msg)
{
	struct engine *engine = client->engine;
	int64_t op = wire_int(msg);
	struct qemu_order order;
	char network[8];
	struct err err = { 0 };
	int is_long;

	memset(&order, 0, sizeof order); /* it is compared as a whole */
	order.spec.port = vm_number(wire_int(msg), 65535, &err);
	is_long = copy_word(msg, order.spec.image, sizeof order.spec.image);
	order.spec.memory_mib = vm_number(wire_int(msg), 1 << 20, &err);
	order.spec.cpus = vm_number(wire_int(msg), 255, &err);
	is_long += copy_word(msg, order.accel, sizeof order.accel);
	is_long += copy_word(msg, network, sizeof network);
	order.spec.has_lan = wire_int(msg) != 0;
	order.spec.spare = vm_number(wire_int(msg), VM_MAX_AHEAD, &err);
	order.spec.has_tap = strcmp(network, "tap") == 0;
	if (is_long)
		err_set(&err, -ENAMETOOLONG, "virtual machine");
	if (!err.code && domain_find(engine, 0))
		err_say(&err, -EALREADY, "the program is running");
	if (!err.code && engine->backend.ops != &backend_qemu &&
	    engine->domains)
		err_say(&err, -EBUSY, "processes are being cloned here");
	if (!err.code)
		engine->backend.ops = &backend_qemu;
	if (!err.code &&
	    !engine->backend.ops->start(&engine->backend, &order, &err)) {
		engine->clone_cpus = order.spec.cpus;
		engine->clone_memory = (int64_t)order.spec.memory_mib << 20;
		engine->vm_scales_itself = order.spec.has_lan;
	}
	client_done(client, op, &err);
}

static void on_event(struct client *client, struct wire_msg *msg)
{
	char what[64], text[1024], json[16384];
	int vmid;

	wire_copy(msg, what, sizeof what);
	vmid = (int)wire_int(msg);
	wire_copy(msg, text, sizeof text);
	wire_copy(msg, json, sizeof json);
	/* a VM tells of those that come from it */
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

/* The owner's answer to a command that was passed on: op is the number under
 * which it was, kept in the control client. */
static void on_answer(struct client *owner, struct wire_msg *msg)
{
	int64_t number = wire_int(msg);
	int code = (int)wire_int(msg);
	struct wire_str text = wire_str(msg);
	struct client *client;

	if (!number)
		return; /* of who has asked nothing */
	for (client = owner->engine->clients; client; client = client->next) {
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

	switch (msg->type) {
	case WIRE_START: on_start(client, msg); break;
	case WIRE_START_VM: on_start_vm(client, msg); break;
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
