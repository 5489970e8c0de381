/*
 * engine/request/control - what `gcscale status` and the like ask, by the control
 * socket
 */
#ifndef GC_ENGINE_REQUEST_CONTROL_H
#define GC_ENGINE_REQUEST_CONTROL_H

#include "engine/core/core.h"

/* One message; what is none of these is passed over. */
void request_control(struct client *client, struct wire_msg *msg);

#endif
