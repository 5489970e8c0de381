/*
 * Fuzzes wire_decode. The input is what came over a channel. Beyond not
 * crashing:
 *  - a frame is decoded the same with and without what follows it, and asks
 *    for more bytes, or is refused, until its last one is there;
 *  - a frame that is taken has the fields of its schema, to the last byte;
 *  - written again from its fields, it is the same frame.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define X(name, number, schema) [number] = schema,
static const char *const schemas[] = { WIRE_MESSAGES(X) };
#undef X

/* Reads the fields of msg and writes them into buf. */
static void rewrite(struct wire_msg *msg, struct wire_buf *buf)
{
	const char *schema = schemas[msg->type], *group = strchr(schema, '|');
	struct wire_str s;

	wire_begin(buf, msg->type, msg->nfds);
	for (; wire_more(msg) || (*schema && *schema != '|'); schema++) {
		if (!*schema || *schema == '|')
			schema = group + 1;
		if (*schema == 'i') {
			wire_put_int(buf, wire_int(msg));
		} else {
			s = wire_str(msg);
			wire_put_str(buf, s.p, s.len);
		}
	}
	assert(wire_end(buf) == 0);
}

/* The frame byte by byte, each time in memory of just that length. */
static void check_by_bytes(const uint8_t *frame, size_t len, int expected)
{
	struct wire_msg msg;
	size_t n;

	for (n = 0; n < len; n++) {
		uint8_t *copy = malloc(n ? n : 1);
		int got;

		assert(copy);
		memcpy(copy, frame, n);
		got = wire_decode(copy, n, &msg);
		assert(got == 0 || (got == -EPROTO && expected < 0));
		free(copy);
		if (got < 0)
			return;
	}
}

static void check_frame(const uint8_t *frame, int len)
{
	struct wire_buf buf = { 0 };
	struct wire_msg msg;

	assert(len >= WIRE_HEADER && len <= WIRE_MAX_FRAME);
	assert(wire_decode(frame, (size_t)len, &msg) == len);
	assert(msg.nfds >= 0 && msg.nfds <= WIRE_MAX_FDS);
	assert(wire_name(msg.type)[0] != '?');
	rewrite(&msg, &buf);
	assert(msg.at == msg.end);
	assert(buf.len == (size_t)len && !memcmp(buf.data, frame, buf.len));
	wire_free(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_msg msg;
	size_t used = 0;
	int n;

	while ((n = wire_decode(data + used, size - used, &msg)) > 0) {
		assert((size_t)n <= size - used);
		check_frame(data + used, n);
		if (n < 512)
			check_by_bytes(data + used, (size_t)n, n);
		used += (size_t)n;
	}
	if (n < 0 && size - used < 512)
		check_by_bytes(data + used, size - used, n);
	return 0;
}
