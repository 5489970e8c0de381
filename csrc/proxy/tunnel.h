/*
 * proxy/tunnel - bytes both ways, whatever they mean (see proxy/conn.h)
 *
 * All of tcp mode, and http after a 101. An end of one direction is passed on
 * once all before it was written, and the other direction goes on; when both
 * have ended, or one end fails, the connection is over.
 */
#ifndef GC_PROXY_TUNNEL_H
#define GC_PROXY_TUNNEL_H

#include "proxy/conn.h"

extern const struct conn_ops tunnel_ops;

/* The server is connected, or has agreed to switch protocols. */
void tunnel_begin(struct conn *conn);

#endif
