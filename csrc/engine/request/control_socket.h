/*
 * control_socket - where `gcscale status` and the like ask an engine
 *
 * A unix socket NAME-PID.sock in the state folder, mode 0600. Whoever
 * connects is a client in ROLE_CONTROL, if he has our user id or is root.
 */
#ifndef GC_ENGINE_REQUEST_CONTROL_SOCKET_H
#define GC_ENGINE_REQUEST_CONTROL_SOCKET_H

#include "engine/core/core.h"

int control_socket_open(struct engine *engine, struct err *err);

/* Removes the socket's file. */
void control_socket_close(struct engine *engine);

#endif
