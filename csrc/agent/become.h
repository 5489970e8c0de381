/*
 * become - what the agent does when IDENTITY comes: the VM learns who it is
 *
 *	booting		sets the machine up, takes the time, starts the program
 *	still itself	lets programs go on after a snapshot, then takes the
 *			time: QEMU stood still for some milliseconds
 *	a clone		becomes another machine (machine.h), takes the time,
 *			tells programs, runs post-clone, says READY; only then
 *			programs go on
 *
 * Where a step of a clone fails, READY says so and all stays frozen: the engine
 * ends that clone. A post-clone that fails is told, too, but the clone lives.
 */
#ifndef GC_AGENT_BECOME_H
#define GC_AGENT_BECOME_H

#include "agent/agent.h"

/* Handles IDENTITY. */
void become_identity(struct agent *agent, struct wire_msg *msg);

/* Lets frozen programs go on; those that use the agent, only if the engine can
 * hear them. */
void become_running(struct agent *agent);

#endif
