/*
 * proxy/tunnel - bytes both ways, whatever they mean (see proxy/conn.h)
 *
 * All of tcp mode, and http after a 101. The end of one direction is passed on
 * once everything before it was written, and the other direction goes on.
 *
 * A side that has ended in order may then be reset because it no longer
 * listens. That is no fault of what it has sent: bytes for it are thrown away
 * (its pipe is deaf), and its own still arrive. Any other error of one side is
 * an error of the connection, and both are reset. When both directions are
 * over, the connection lingers until the last bytes are acknowledged.
 */
#ifndef GC_PROXY_TUNNEL_H
#define GC_PROXY_TUNNEL_H

#include "proxy/conn.h"

extern const struct conn_ops tunnel_ops;

/* The server is connected, or has agreed to switch protocols. */
void tunnel_begin(struct conn *conn);

#endif
