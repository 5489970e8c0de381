/*
 * engine/request/control - what `gcscale status` and other commands ask for, over
 * the control socket
 */
#ifndef GC_ENGINE_REQUEST_CONTROL_H
#define GC_ENGINE_REQUEST_CONTROL_H

#include "engine/core/core.h"

/* Handles one message; others are ignored. */
void request_control(struct client *client, struct wire_msg *msg);

#endif
