/*
 * control - asks a running engine through its control socket
 */
#ifndef GC_WIRE_CONTROL_H
#define GC_WIRE_CONTROL_H

#include "base/err.h"
#include "wire/wire.h"

/* An answer; free(frame) after use. */
struct control_answer {
	uint8_t *frame;
	struct wire_msg msg; /* fields behind op: STATE, or ANSWER's */
};

/*
 * Connects to the socket at path, sends STATUS (json NULL) or COMMAND, and
 * waits for the answer up to timeout_ms. Blocks: for command lines. Returns 0
 * or a negative code.
 */
int control_ask(const char *path, const char *json, int timeout_ms,
		struct control_answer *answer, struct err *err);

#endif
