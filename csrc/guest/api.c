/*
 * guest/api - the C guest API: blocking calls over guest.h
 *
 * The one place with state of its own outside of struct gc: a process is one
 * domain, and this API, which is that of 2011, has no handle.
 */
#include "gridcentric/gc-guest.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/setting.h"
#include "guest/call.h"
#include "guest/guest.h"
#include "guest/op.h"

#define NO_CONTROLLER "this program has no controller"

static struct gc self;
static int is_open;
static struct err last; /* of the last call that failed */
static const char *(*program_veto)(void *arg);

/* The errno of a code; for our own codes the nearest one. */
static int errno_of(int code)
{
	switch (-code) {
	case GC_EDENIED: return EAGAIN;
	case GC_EIMPOSSIBLE: return ERANGE;
	case GC_ENOTICKET: return ENOENT;
	case GC_ENOTOWNER: return EPERM;
	case GC_EUSED: return EALREADY;
	case GC_EVETO: return EBUSY;
	case GC_ENODOMAIN: return ESRCH;
	case GC_EHOOK:
	case GC_EREPAIR:
	case GC_EDIED:
	case GC_ENOTREADY:
	case GC_EVM: return ECHILD;
	case GC_EENGINE:
	case GC_EIMAGE: return ENOEXEC;
	case GC_EPROTO: return EPROTO;
	default: return -code;
	}
}

/* Sets errno from the last error. Returns -1. */
static int failed(void)
{
	assert(last.code < 0);
	errno = errno_of(last.code);
	return -1;
}

static void at_exit(void)
{
	guest_end_all(&self, setting_grace_ms());
}

/* Opens the platform at the first call. Returns 0, or -1 with errno set. */
static int need_open(void)
{
	if (is_open)
		return 0;
	if (guest_open(&self, ROLE_INSIDE, program_invocation_short_name,
		       &last))
		return failed();
	is_open = 1;
	atexit(at_exit);
	return 0;
}

/* Frees a completion that nobody here waits for. A command is answered, since
 * its sender waits. */
static void discard_completion(struct completion *completion)
{
	struct guest_event *event;

	if (completion->kind == GUEST_COMMAND) {
		event = container_of(completion, struct guest_event, done);
		guest_answer(&self, wire_int(&event->msg), -EPERM,
			     NO_CONTROLLER);
	}
	guest_free(completion);
}

/* Waits until an operation is answered, and drops events meanwhile. number: or
 * a negative code, of an operation that could not begin. The caller frees the
 * answer; NULL: errno is set. */
static struct guest_op *wait_for(int64_t number)
{
	struct completion *completion;
	struct guest_op *op;
	int code;

	if (number < 0) {
		failed();
		return NULL;
	}
	for (;;) {
		while ((completion = loop_next(&self.loop))) {
			op = container_of(completion, struct guest_op, done);
			if (completion->kind < GUEST_CLONE &&
			    op->number == number)
				return op;
			discard_completion(completion);
		}
		code = guest_turn(&self, -1);
		if (code < 0) {
			err_set(&last, code, "waiting");
			failed();
			return NULL;
		}
	}
}

/* Waits for an operation. On success *answer is its answer, which the caller
 * frees; answer may be NULL. Returns 0, or -1 with errno set. */
static int finish_op(int64_t number, struct guest_op **answer)
{
	struct guest_op *op = wait_for(number);

	if (!op)
		return -1;
	if (op->err.code) {
		last = op->err;
		guest_free(&op->done);
		return failed();
	}
	if (answer)
		*answer = op;
	else
		guest_free(&op->done);
	return 0;
}

int gc_vmid(void)
{
	return need_open() ? -1 : self.vmid;
}

static void copy_info(struct wire_msg *msg, gc_ticket_info_t *info)
{
	wire_copy(msg, info->id.value, sizeof info->id.value);
	info->status = (gc_ticket_status_t)wire_int(msg);
	info->cpus = (int)wire_int(msg);
	info->vms = (int)wire_int(msg);
	info->mincpuspervm = (int)wire_int(msg);
}

int gc_request_ticket(int maxcpus, int minvms, int mincpuspervm, int timeout_ms,
		      gc_uuid_t *ticket)
{
	struct guest_op *op;

	if (need_open() ||
	    finish_op(guest_request_ticket(&self, maxcpus, minvms, mincpuspervm,
					   timeout_ms, &last),
		      &op))
		return -1;
	wire_copy(&op->msg, ticket->value, sizeof ticket->value);
	guest_free(&op->done);
	return 0;
}

int gc_ticket_info(gc_uuid_t ticket, gc_ticket_info_t *info)
{
	struct guest_op *op;

	if (need_open() ||
	    finish_op(guest_ticket_info(&self, ticket.value, &last), &op))
		return -1;
	copy_info(&op->msg, info);
	guest_free(&op->done);
	return 0;
}

int gc_clone(gc_uuid_t ticket)
{
	struct guest_op *op;
	int vmid;

	if (need_open() ||
	    finish_op(guest_clone(&self, ticket.value, &last), &op))
		return -1;
	vmid = op->vmid;
	guest_free(&op->done);
	return vmid;
}

static int ask_program(void *arg, struct err *err)
{
	const char *reason = program_veto(arg);

	return reason ? err_say(err, -GC_EVETO, "before_clone: %s", reason) : 0;
}

int gc_before_clone(const char *(*veto)(void *arg), void *arg)
{
	if (need_open())
		return -1;
	program_veto = veto;
	self.before_clone = veto ? ask_program : NULL;
	self.before_clone_arg = arg;
	return 0;
}

int gc_release_ticket(gc_uuid_t ticket)
{
	return need_open() ? -1
			   : finish_op(guest_release_ticket(&self, ticket.value,
							    &last),
				       NULL);
}

int gc_list_domains(gc_domain_t *domains, int max)
{
	struct guest_op *op;
	gc_domain_t one;
	int n;

	if (need_open() || finish_op(guest_list_domains(&self, &last), &op))
		return -1;
	for (n = 0; wire_more(&op->msg); n++) {
		one.vmid = (int)wire_int(&op->msg);
		one.pid = (int)wire_int(&op->msg);
		one.state = (gc_domain_state_t)wire_int(&op->msg);
		wire_copy(&op->msg, one.host, sizeof one.host);
		wire_copy(&op->msg, one.endpoints, sizeof one.endpoints);
		if (n < max)
			domains[n] = one;
	}
	guest_free(&op->done);
	return n;
}

int gc_kill(int vmid)
{
	return need_open() ? -1
			   : finish_op(guest_kill(&self, vmid, &last), NULL);
}

int gc_metric(const char *name, double value)
{
	if (need_open())
		return -1;
	return guest_metric(&self, name, value, &last) ? failed() : 0;
}

int gc_wait(int timeout_ms)
{
	struct completion *completion;
	int vmid, code;

	if (need_open())
		return -1;
	vmid = self.vmid;
	code = guest_turn(&self, timeout_ms);
	while ((completion = loop_next(&self.loop)))
		discard_completion(completion);
	if (code < 0) {
		err_set(&last, code, "waiting");
		return failed();
	}
	return self.vmid != vmid ? self.vmid : 0;
}

int gc_fd(void)
{
	return need_open() ? -1 : self.loop.epfd;
}

const char *gc_error_text(void)
{
	return last.text;
}
