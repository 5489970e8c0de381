/*
 * port - finds and opens the agent's way to the engine
 *
 * In a VM it is a virtio-serial port, a device that udev names
 * /dev/virtio-ports/NAME; where no udev runs, sysfs tells which
 * /dev/vportNpM has the name. A path may be given instead: of a device, or of
 * a unix socket on which somebody plays the engine.
 */
#ifndef GC_AGENT_PORT_H
#define GC_AGENT_PORT_H

#include "base/err.h"

#define PORT_NAME "org.gridcentric.agent"

/*
 * Opens the port of that name or, where path is not NULL, what is there.
 * Returns the descriptor, or a negative code with err set; -ENOENT: it is not
 * there, or not yet.
 */
int port_open(const char *name, const char *path, struct err *err);

#endif
