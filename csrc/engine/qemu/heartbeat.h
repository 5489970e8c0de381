/*
 * heartbeat - notices that a machine which is ready does not live any more
 *
 * Every third of the limit the engine asks QEMU (query-status) and the agent
 * (PING), which wakes an idle guest once. A machine whose agent says nothing
 * for the limit ($GRIDCENTRIC_VM_TIMEOUT, 10 s) has failed and is ended: its
 * kernel panicked or hangs, its QEMU was stopped, or its agent has ended and
 * was not started anew. Any message is a sign of life. The limit of QEMU's
 * own answers is that of QMP (qmp.h).
 *
 * Silence counts only while the engine runs: a beat adds no more than its own
 * length, however late it comes. A machine that is being frozen for a snapshot
 * is not asked; the snapshot has a limit of its own.
 *
 * The first machine of an image that scales itself is not ended because its
 * agent has gone: it serves users. That is recorded as an event only.
 */
#ifndef GC_ENGINE_QEMU_HEARTBEAT_H
#define GC_ENGINE_QEMU_HEARTBEAT_H

#include "base/loop.h"

#define HEARTBEAT_LIMIT_MS 10000 /* where the environment says nothing */
#define HEARTBEAT_PARTS	   3	 /* beats in the limit */

struct qemu_vm;

struct heartbeat {
	struct loop_timer timer;
	int64_t last_ms;   /* loop_now() of the last beat */
	int64_t silent_ms; /* that the agent has said nothing */
	int64_t number;	   /* of the last PING */
	int asks_qemu;	   /* query-status is under way */
	int is_agent_gone; /* its port is closed */
};

/* The VM is ready: it is watched from now on. Harmless when it is. */
void heartbeat_start(struct qemu_vm *vm);

/* The agent has opened its port, or closed it. */
void heartbeat_port(struct qemu_vm *vm, int is_open);

/* The VM ends, or is no domain's any more. Harmless when it is not watched. */
void heartbeat_stop(struct qemu_vm *vm);

#endif
