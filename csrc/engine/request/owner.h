/*
 * engine/request/owner - what only the owner of an engine may ask for: gcscale, or
 * the program itself
 */
#ifndef GC_ENGINE_REQUEST_OWNER_H
#define GC_ENGINE_REQUEST_OWNER_H

#include "engine/core/core.h"

/* Handles one message; others are ignored. */
void request_owner(struct client *client, struct wire_msg *msg);

#endif
