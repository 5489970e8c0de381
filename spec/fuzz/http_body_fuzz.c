/*
 * Fuzzes http_body. The first byte chooses framing, limit and flags, the rest
 * is what follows the head. Beyond not crashing:
 *  - byte by byte the result is the same as at once;
 *  - without padding, what is passed on is what came, except for trailers, and
 *    it is read again as the same body, without a further change;
 *  - decoding reads the same bytes, and yields what a plain decoder written
 *    in another way yields.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "http/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The result of reading a text. */
struct reading {
	struct http_body body;
	ssize_t n;   /* of the last call that failed, or all bytes read */
	size_t kept; /* bytes passed on, at the start of buf */
	char *buf;
};

static void begin(struct reading *r, uint8_t choice, unsigned flags,
		  const void *text, size_t size)
{
	if (choice & 128)
		flags |= HTTP_BODY_PADDED;
	http_body_init(&r->body, (enum http_framing)(choice % 4),
		       choice / 8 % 16, choice & 4 ? 16 : 0, flags);
	r->kept = 0;
	r->buf = malloc(size + 1);
	assert(r->buf);
	memcpy(r->buf, text, size);
	r->buf[size] = '\0';
}

static struct reading read_at_once(uint8_t choice, unsigned flags,
				   const void *text, size_t size)
{
	struct reading r;

	begin(&r, choice, flags, text, size);
	r.n = http_body_read(&r.body, r.buf, size, &r.kept);
	return r;
}

/* One byte more for each call; those that were not read are offered again. */
static struct reading read_by_bytes(uint8_t choice, unsigned flags,
				    const void *text, size_t size)
{
	char *rest = malloc(size + 1);
	size_t len = 0, kept, i;
	struct reading r;
	ssize_t n = 0;

	assert(rest);
	begin(&r, choice, flags, text, size);
	r.n = 0;
	for (i = 0; i < size && n >= 0 && r.body.state != HTTP_BODY_END; i++) {
		rest[len++] = ((const char *)text)[i];
		n = http_body_read(&r.body, rest, len, &kept);
		if (n < 0)
			break;
		memcpy(r.buf + r.kept, rest, kept);
		r.kept += kept;
		r.n += n;
		len -= (size_t)n;
		memmove(rest, rest + n, len);
	}
	if (n < 0)
		r.n = n;
	free(rest);
	return r;
}

static void check_same(const struct reading *a, const struct reading *b)
{
	assert(a->n == b->n);
	if (a->n < 0)
		return;
	assert(a->body.state == b->body.state);
	assert(a->body.content == b->body.content);
	assert(a->kept == b->kept && !memcmp(a->buf, b->buf, a->kept));
}

/*
 * Decodes a complete chunked body that was found to be well-formed, the naive
 * way. The text has a NUL behind it.
 */
static size_t decode_plainly(const char *text, char *into)
{
	size_t len = 0, size;
	char *end;

	while ((size = strtoul(text, &end, 16)) > 0) {
		text = strstr(end, "\r\n") + 2;
		memcpy(into + len, text, size);
		len += size;
		text += size;
		assert(!memcmp(text, "\r\n", 2));
		text += 2;
	}
	return len;
}

static void check_decoded(const struct reading *raw,
			  const struct reading *decoded, uint8_t choice)
{
	char *expected = malloc(raw->kept + 1);

	assert(expected && decoded->n == raw->n);
	if (raw->n >= 0)
		assert((int64_t)decoded->kept == raw->body.content);
	if (raw->n >= 0 && choice % 4 == HTTP_CHUNKED &&
	    raw->body.state == HTTP_BODY_END) {
		raw->buf[raw->kept] = '\0';
		assert(decode_plainly(raw->buf, expected) == decoded->kept);
		assert(!memcmp(expected, decoded->buf, decoded->kept));
	}
	free(expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reading raw, bytes, decoded, again;
	uint8_t choice;

	if (size-- < 2)
		return 0;
	choice = *data++;
	raw = read_at_once(choice, 0, data, size);
	assert(raw.n <= (ssize_t)size);
	assert(raw.n < 0 || !raw.body.max || raw.body.content <= raw.body.max);
	bytes = read_by_bytes(choice, 0, data, size);
	check_same(&raw, &bytes);
	decoded = read_at_once(choice, HTTP_BODY_DECODE, data, size);
	check_decoded(&raw, &decoded, choice);
	if (raw.n >= 0) {
		again = read_at_once(choice, 0, raw.buf, raw.kept);
		assert(again.n == (ssize_t)raw.kept && again.kept == raw.kept);
		assert(again.body.state == raw.body.state);
		free(again.buf);
	}
	free(raw.buf);
	free(bytes.buf);
	free(decoded.buf);
	return 0;
}
