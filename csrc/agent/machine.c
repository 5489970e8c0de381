/* machine - see machine.h */
#include "agent/machine.h"

#include <errno.h>

#include "agent/connections.h"
#include "agent/entropy.h"

int machine_open(struct machine *machine, struct err *err)
{
	struct err more[2];
	int code = network_open(&machine->network, err);

	machine->id.fd = machine->hosts.fd = -1;
	connections_open(&machine->connections, &more[0]);
	machine->entropy = entropy_open(&more[1]);
	if (!code && !machine->connections.socket)
		*err = more[0];
	else if (!code && machine->entropy < 0)
		*err = more[1];
	else if (!code)
		return 0;
	return err->code;
}

int machine_first(struct machine *machine, const struct identity *identity,
		  struct err *err)
{
	int code;

	if (identity->random.len) /* otherwise the kernel gathers its own */
		entropy_feed(machine->entropy, identity->random.p,
			     identity->random.len, err);
	code = network_look(&machine->network, err);
	if (!code)
		code = network_apply(&machine->network, identity->cards,
				     identity->ncards, err);
	if (!code && identity->host[0])
		code = identity_host(identity->host, err);
	if (!code)
		code = identity_first_machine(&machine->id, err);
	if (!code && identity->host[0])
		hosts_write(&machine->hosts, identity->host);
	return code;
}

int machine_look(struct machine *machine, struct err *err)
{
	identity_open(&machine->id);
	hosts_open(&machine->hosts);
	return network_look(&machine->network, err);
}

static int destroy_connections(struct machine *machine, struct err *err)
{
	int code = 0;

	/* what was missing at the start may be there by now */
	if (!machine->connections.socket)
		code = connections_open(&machine->connections, err);
	if (!code)
		code = connections_destroy(&machine->connections, err);
	return code < 0 ? code : 0;
}

int machine_become(struct machine *machine, const struct identity *identity,
		   struct err *err)
{
	int code;

	if (identity->random.len < ENTROPY_LEAST)
		return err_say(err, -EINVAL,
			       "random bytes: the engine gave too few");
	code = entropy_feed(machine->entropy, identity->random.p,
			    identity->random.len, err);
	if (!code)
		code = network_apply(&machine->network, identity->cards,
				     identity->ncards, err);
	if (!code)
		code = destroy_connections(machine, err);
	if (!code && identity->host[0])
		code = identity_host(identity->host, err);
	if (!code)
		code = identity_machine(&machine->id, err);
	if (!code && identity->host[0])
		hosts_write(&machine->hosts, identity->host);
	return code;
}
