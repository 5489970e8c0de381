/* engine/request/agent - see engine/request/agent.h */
#include "engine/request/agent.h"

#include <assert.h>

#include "base/clock.h"
#include "engine/core/client.h"
#include "engine/core/domain.h"
#include "engine/request/domain.h"
#include "engine/request/owner.h"

#define MAX_GRACE_MS  60000 /* that a guest may give */
#define LAST_WORDS_MS 1000  /* for a VM to end after its program */

static int grace_of(int64_t asked_ms)
{
	return asked_ms < 0		 ? 0
	       : asked_ms > MAX_GRACE_MS ? MAX_GRACE_MS
					 : (int)asked_ms;
}

/* The program of a VM ends: its clones end with it. */
static void on_vm_bye(struct client *client, struct wire_msg *msg)
{
	int grace_ms = grace_of(wire_int(msg));
	struct domain *domain;
	int vmid = -1;

	while ((domain = domain_after(client->engine, vmid))) {
		vmid = domain->vmid;
		if (domain != client->domain &&
		    request_may_touch(client, domain))
			domain_stop(domain, grace_ms, NULL, 0);
	}
	client->watches = 0;
}

/* Answers with the time. */
static void on_ping(struct client *client, int64_t number)
{
	client->knows_ping = 1;
	wire_put(channel_out(&client->channel), WIRE_PONG, number,
		 clock_wall_ns());
	channel_send(&client->channel);
}

/* The VM's program has ended. pid 0: after STOP, and nothing is left in there
 * that would need more time. */
static void on_exited(struct domain *domain, struct wire_msg *msg)
{
	int pid = (int)wire_int(msg);

	domain->program_status = (int)wire_int(msg) & 0xffff;
	domain_hurry(domain, pid ? LAST_WORDS_MS : 0);
}

/* What a VM may ask for besides what any domain may. Its EXITED is about its own
 * program. */
void request_agent(struct client *client, struct wire_msg *msg)
{
	struct backend *backend = &client->engine->backend;
	int64_t op;
	int vmid;

	assert(client->role == ROLE_AGENT && client->domain);
	switch (msg->type) {
	case WIRE_STOP:
		op = wire_int(msg);
		vmid = (int)wire_int(msg);
		request_end_domain(client, op, vmid, grace_of(wire_int(msg)));
		break;
	case WIRE_HELLO: /* it was restarted, and must be told who it is */
		backend->ops->message(backend, client->domain, msg);
		break;
	case WIRE_WATCH:
		client->watches =
			client->vmid == 0 && client->engine->may_scale_itself;
		break;
	case WIRE_EVENT:
	case WIRE_REPORT:
	case WIRE_ANSWER:
		if (client->watches)
			request_owner(client, msg);
		break;
	case WIRE_BYE: on_vm_bye(client, msg); break;
	case WIRE_EXITED: on_exited(client->domain, msg); break;
	case WIRE_PING: on_ping(client, wire_int(msg)); break;
	case WIRE_PONG: break; /* that it came is what counts */
	case WIRE_FORKED: break;
	default: request_domain(client, msg); break;
	}
}
