/* guest/op - see guest/op.h */
#include "guest/op.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Copies the fields of msg that are not read yet; *copy reads them from the
 * memory that is returned. NULL: out of memory. */
static uint8_t *copy_fields(const struct wire_msg *msg, struct wire_msg *copy)
{
	size_t len = (size_t)(msg->end - msg->at);
	uint8_t *frame = malloc(len + 1);

	if (!frame)
		return NULL;
	memcpy(frame, msg->at, len);
	*copy = *msg;
	copy->at = frame;
	copy->end = frame + len;
	return frame;
}

/* Takes the operation out of the list of those under way. */
static struct guest_op *take_op(struct gc *gc, int64_t number)
{
	struct guest_op *op;

	TAILQ_FOREACH(op, &gc->ops, link)
		if (op->number == number) {
			TAILQ_REMOVE(&gc->ops, op, link);
			return op;
		}
	return NULL;
}

/* Queues the operation as a completion; it is under way no longer. */
static void complete_op(struct gc *gc, struct guest_op *op)
{
	assert(op->number > 0 && !op->done.queued);
	loop_complete(&gc->loop, &op->done, (int)op->kind);
}

struct guest_op *guest_op_new(struct gc *gc, enum guest_kind kind)
{
	struct guest_op *op = calloc(1, sizeof *op);

	assert(kind >= GUEST_TICKET && kind < GUEST_CLONE);
	if (!op)
		return NULL;
	op->number = ++gc->last_op;
	op->kind = kind;
	TAILQ_INSERT_TAIL(&gc->ops, op, link);
	return op;
}

void guest_op_drop(struct gc *gc, int64_t number)
{
	free(take_op(gc, number));
}

/* TICKET, CLONED and DONE begin alike: op, err, text. */
void guest_op_answered(struct gc *gc, struct wire_msg *msg)
{
	struct guest_op *op = take_op(gc, wire_int(msg));

	if (!op)
		return;
	if (msg->type != WIRE_DOMAINS) {
		op->err.code = (int)wire_int(msg);
		if (op->err.code > 0)
			op->err.code = -GC_EPROTO;
		wire_copy(msg, op->err.text, sizeof op->err.text);
	}
	op->frame = copy_fields(msg, &op->msg);
	if (!op->frame && !op->err.code)
		err_set(&op->err, -ENOMEM, "answer");
	complete_op(gc, op);
}

void guest_op_event(struct gc *gc, enum guest_kind kind, struct wire_msg *msg,
		    const struct err *err)
{
	struct guest_event *event = calloc(1, sizeof *event);

	assert(kind >= GUEST_CLONE && kind < GUEST_KINDS);
	if (event && msg)
		event->frame = copy_fields(msg, &event->msg);
	if (!event || (msg && !event->frame)) {
		free(event);
		return;
	}
	if (err)
		event->err = *err;
	loop_complete(&gc->loop, &event->done, (int)kind);
}

void guest_free(struct completion *completion)
{
	if (completion->kind >= GUEST_CLONE) {
		struct guest_event *event =
			container_of(completion, struct guest_event, done);

		free(event->frame);
		free(event);
	} else {
		struct guest_op *op =
			container_of(completion, struct guest_op, done);

		free(op->frame);
		free(op);
	}
}

void guest_op_fail_all(struct gc *gc, const struct err *err)
{
	struct guest_op *op;

	assert(err->code < 0);
	while ((op = TAILQ_FIRST(&gc->ops))) {
		TAILQ_REMOVE(&gc->ops, op, link);
		op->err = *err;
		complete_op(gc, op);
	}
}

/* Takes back a completion that the program has not seen: an operation goes on
 * in the master. */
static void take_back(struct gc *gc, struct completion *completion)
{
	struct guest_op *op;

	if (completion->kind >= GUEST_CLONE) {
		guest_free(completion);
		return;
	}
	op = container_of(completion, struct guest_op, done);
	free(op->frame);
	op->frame = NULL;
	TAILQ_INSERT_TAIL(&gc->ops, op, link);
}

void guest_op_take_back(struct gc *gc)
{
	struct completion *completion;

	while ((completion = loop_next(&gc->loop)))
		if (completion->kind < GUEST_KINDS)
			take_back(gc, completion);
}

void guest_op_become_clone(struct gc *gc, int64_t number)
{
	struct guest_op *op = take_op(gc, number);
	struct err cancelled;

	assert(gc->vmid > 0);
	guest_op_event(gc, GUEST_CLONE, NULL, NULL);
	if (op) {
		op->vmid = gc->vmid;
		complete_op(gc, op);
	}
	err_say(&cancelled, -ECANCELED, "it goes on in the master");
	guest_op_fail_all(gc, &cancelled);
}
