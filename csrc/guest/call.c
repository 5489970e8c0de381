/* guest/call - see guest/call.h */
#include "guest/call.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "guest/guest.h"
#include "guest/listener.h"
#include "guest/op.h"

/* Begins an operation, whose frame is written next. Returns its number or a
 * negative code. */
static int64_t begin_op(struct gc *gc, enum guest_kind kind, struct err *err)
{
	int code = guest_need_engine(gc, err);
	struct guest_op *op = code ? NULL : guest_op_new(gc, kind);

	if (op)
		return op->number;
	return code ? code : err_set(err, -ENOMEM, "operation");
}

/* Sends the frame of an operation. code: of writing it; a frame that was too
 * long ends the operation. Returns its number or the code. */
static int64_t send_op(struct gc *gc, int64_t number, int code, struct err *err)
{
	if (code) {
		guest_op_drop(gc, number);
		return err_set(err, code, "request");
	}
	assert(channel_is_open(&gc->channel));
	channel_send(&gc->channel);
	return number;
}

int64_t guest_request_ticket(struct gc *gc, int maxcpus, int minvms,
			     int mincpuspervm, int timeout_ms, struct err *err)
{
	int64_t op = begin_op(gc, GUEST_TICKET, err);

	if (op < 0)
		return op;
	return send_op(gc, op,
		       wire_put(channel_out(&gc->channel), WIRE_TICKET_REQUEST,
				op, WIRE_INT(maxcpus), WIRE_INT(minvms),
				WIRE_INT(mincpuspervm), WIRE_INT(timeout_ms)),
		       err);
}

int64_t guest_ticket_info(struct gc *gc, const char *ticket, struct err *err)
{
	int64_t op = begin_op(gc, GUEST_TICKET, err);

	if (op < 0)
		return op;
	return send_op(gc, op,
		       wire_put(channel_out(&gc->channel), WIRE_TICKET_INFO, op,
				ticket),
		       err);
}

int64_t guest_release_ticket(struct gc *gc, const char *ticket, struct err *err)
{
	int64_t op = begin_op(gc, GUEST_DONE, err);

	if (op < 0)
		return op;
	return send_op(gc, op,
		       wire_put(channel_out(&gc->channel), WIRE_TICKET_RELEASE,
				op, ticket),
		       err);
}

int64_t guest_clone(struct gc *gc, const char *ticket, struct err *err)
{
	struct repair_listener *found = NULL;
	struct wire_buf *out;
	int64_t op;
	int n = 0;

	/* an owner that is no domain has the program cloned, not itself; and
	 * in a VM nothing is repaired */
	if (gc->role != ROLE_OUTSIDE && !gc->agent.is_used) {
		n = guest_find_listeners(gc, &found, err);
		if (n < 0)
			return n;
	}
	op = begin_op(gc, GUEST_CLONED, err);
	if (op > 0) {
		out = channel_out(&gc->channel);
		wire_begin(out, WIRE_CLONE, 0);
		wire_put_int(out, op);
		wire_put_text(out, ticket);
		guest_put_listeners(out, found, n);
		op = send_op(gc, op, wire_end(out), err);
	}
	free(found);
	return op;
}

int64_t guest_list_domains(struct gc *gc, struct err *err)
{
	int64_t op = begin_op(gc, GUEST_DOMAINS, err);

	if (op < 0)
		return op;
	return send_op(gc, op,
		       wire_put(channel_out(&gc->channel), WIRE_LIST, op), err);
}

int64_t guest_kill(struct gc *gc, int vmid, struct err *err)
{
	int64_t op = begin_op(gc, GUEST_DONE, err);

	if (op < 0)
		return op;
	return send_op(gc, op,
		       wire_put(channel_out(&gc->channel), WIRE_KILL, op,
				WIRE_INT(vmid)),
		       err);
}

int64_t guest_start(struct gc *gc, int port, const char *dir,
		    const char *const *argv, int argc, struct err *err)
{
	int64_t op = begin_op(gc, GUEST_DONE, err);
	struct wire_buf *out;
	int i;

	if (op < 0)
		return op;
	out = channel_out(&gc->channel);
	wire_begin(out, WIRE_START, 0);
	wire_put_int(out, op);
	wire_put_int(out, port);
	wire_put_text(out, dir);
	for (i = 0; i < argc; i++)
		wire_put_text(out, argv[i]);
	return send_op(gc, op, wire_end(out), err);
}

int64_t guest_start_vm(struct gc *gc, int port, const struct guest_vm *vm,
		       struct err *err)
{
	int64_t op = begin_op(gc, GUEST_DONE, err);

	if (op < 0)
		return op;
	return send_op(gc, op,
		       wire_put(channel_out(&gc->channel), WIRE_START_VM, op,
				WIRE_INT(port), vm->image, WIRE_INT(vm->memory),
				WIRE_INT(vm->cpus), vm->accel, vm->network,
				WIRE_INT(vm->has_lan != 0),
				WIRE_INT(vm->spare)),
		       err);
}

int64_t guest_stop(struct gc *gc, int vmid, int grace_ms, struct err *err)
{
	int64_t op = begin_op(gc, GUEST_DONE, err);

	if (op < 0)
		return op;
	return send_op(gc, op,
		       wire_put(channel_out(&gc->channel), WIRE_STOP, op,
				WIRE_INT(vmid), WIRE_INT(grace_ms)),
		       err);
}

/* ---- one-way ----------------------------------------------------------- */

void guest_record(struct gc *gc, const char *what, int vmid, const char *text,
		  const char *json)
{
	if (!channel_is_open(&gc->channel))
		return;
	wire_put(channel_out(&gc->channel), WIRE_EVENT, what, WIRE_INT(vmid),
		 text, json);
	channel_send(&gc->channel);
}

void guest_report(struct gc *gc, const char *json)
{
	if (!channel_is_open(&gc->channel))
		return;
	wire_put(channel_out(&gc->channel), WIRE_REPORT, json);
	channel_send(&gc->channel);
}

void guest_answer(struct gc *gc, int64_t op, int code, const char *text)
{
	if (!channel_is_open(&gc->channel))
		return;
	wire_put(channel_out(&gc->channel), WIRE_ANSWER, op, WIRE_INT(code),
		 text);
	channel_send(&gc->channel);
}
