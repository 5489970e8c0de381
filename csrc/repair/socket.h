/*
 * repair/socket - what becomes of a socket, by what it is
 */
#ifndef GC_REPAIR_SOCKET_H
#define GC_REPAIR_SOCKET_H

#include "repair/repair.h"

/* Fills the item of the socket item->fd. Returns 1; 0 when the socket is to be
 * kept as it is; -1 when fd is no socket, with item->type -1 or less. */
int socket_plan(struct repair_item *item);

/* The limit of a listener's queue; SOMAXCONN where the kernel does not say. */
int socket_backlog(int listener);

#endif
