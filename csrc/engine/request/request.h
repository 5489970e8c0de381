/*
 * request - what clients say to the engine: who is it, and who answers that
 *
 *	request		HELLO, and to which of these a message goes
 *	   |--> request_control		gcscale status ...
 *	   |--> request_agent		a VM
 *	   |       '--> request_owner		gcscale, or a program that owns
 *	   |		   |			its engine
 *	   '---------------'--> request_domain	any domain
 *
 * To add a message: a line in wire.h, a function and a case in the part of
 * those who may send it.
 */
#ifndef GC_ENGINE_REQUEST_REQUEST_H
#define GC_ENGINE_REQUEST_REQUEST_H

#include "engine/core/core.h"

/* One message: engine->client_said. */
void request_handle(struct client *client, struct wire_msg *msg);

#endif
