/*
 * request - what clients ask of the engine, message by message
 *
 * To add one: a line in wire.h, a function here, a case in the switch of
 * those who may ask it (any domain, the owner alone, control clients).
 */
#ifndef GC_ENGINE_REQUEST_H
#define GC_ENGINE_REQUEST_H

#include "shared.h"

/* One message: engine->client_said. */
void request_handle(struct client *client, struct wire_msg *msg);

/* The scheduler has answered: engine->ticket_answered. */
void request_ticket_answered(struct ticket *ticket, struct err *err);

#endif
