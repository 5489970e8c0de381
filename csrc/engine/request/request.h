/*
 * request - the messages of clients: which client sent it, and which part answers
 *
 *	request		HELLO, and the choice of one of these:
 *	   |--> request_control		gcscale status ...
 *	   |--> request_agent		a VM
 *	   |       '--> request_owner		gcscale, or a program that owns
 *	   |		   |			its engine
 *	   '---------------'--> request_domain	any domain
 *
 * To add a message: a line in wire.h, and a function and a case in the part of
 * the clients that may send it.
 */
#ifndef GC_ENGINE_REQUEST_REQUEST_H
#define GC_ENGINE_REQUEST_REQUEST_H

#include "engine/core/core.h"

/* Handles one message: events->message_received. */
void request_handle(struct client *client, struct wire_msg *msg);

#endif
