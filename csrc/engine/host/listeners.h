/*
 * listeners - what a program tells of the sockets it listens on
 */
#ifndef GC_ENGINE_HOST_LISTENERS_H
#define GC_ENGINE_HOST_LISTENERS_H

#include "base/err.h"
#include "engine/host/address.h"
#include "wire/wire.h"

/*
 * Takes the (family, type, port, backlog) groups that msg ends with, at most
 * ADDRESS_MAX_LISTENERS. Returns how many, or a negative code for what no
 * lease can be made of.
 */
int listeners_read(struct wire_msg *msg, struct listener *listeners,
		   struct err *err);

#endif
