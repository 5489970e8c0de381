/*
 * port - finds and opens the agent's port to the engine
 *
 * In a VM this is a virtio-serial port. udev names the device
 * /dev/virtio-ports/NAME; without udev, sysfs says which /dev/vportNpM has the
 * name. Instead, a path can be given: of a device, or, for tests, of a unix
 * socket on which another program plays the engine.
 */
#ifndef GC_AGENT_PORT_H
#define GC_AGENT_PORT_H

#include "base/err.h"

#define PORT_NAME "org.gridcentric.agent"

/*
 * Opens the port of that name, or path if it is not NULL. Returns the descriptor,
 * or a negative code with err set; -ENOENT: there is no such port, or not yet.
 */
int port_open(const char *name, const char *path, struct err *err);

#endif
