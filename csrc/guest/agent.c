/* guest/agent - see guest/agent.h */
#include "guest/agent.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/unix_socket.h"
#include "guest/op.h"
#include "repair/repair.h"

#define PATH "/run/gridcentric/agent"

const char *guest_agent_path(void)
{
	const char *given = getenv("GRIDCENTRIC_AGENT");

	if (given && *given)
		return given;
	return access(PATH, F_OK) == 0 ? PATH : NULL;
}

int guest_agent_connect(struct err *err)
{
	const char *path = guest_agent_path();
	int fd;

	if (!path)
		return err_say(err, -ENOENT, "agent: it is not running");
	/* in a clone of the VM, a write may come before BECOME is read */
	repair_catch_sigpipe();
	fd = unix_socket_connect(path, 0);
	return fd < 0 ? err_set(err, fd, "agent: %s", path) : fd;
}

void guest_agent_keep_become(struct gc *gc, struct wire_msg *msg)
{
	struct guest_agent *agent = &gc->agent;

	if (!agent->is_used)
		return;
	gc->vmid = (int)wire_int(msg);
	agent->op = wire_int(msg);
	wire_copy(msg, gc->address, sizeof gc->address);
	agent->watches = 0; /* the master's program does */
	agent->became = 1;
}

void guest_agent_become(struct gc *gc)
{
	if (!gc->agent.became)
		return;
	assert(gc->agent.is_used && gc->vmid > 0);
	gc->agent.became = 0;
	guest_op_take_back(gc);
	guest_metric_forget(gc);
	loop_strip(&gc->loop, &gc->channel.source);
	repair_in_vm();
	guest_op_become_clone(gc, gc->agent.op);
}

void guest_agent_watch(struct gc *gc)
{
	if (!gc->agent.is_used)
		return;
	gc->agent.watches = 1;
	if (!channel_is_open(&gc->channel))
		return;
	wire_put(channel_out(&gc->channel), WIRE_WATCH);
	channel_send(&gc->channel);
}
