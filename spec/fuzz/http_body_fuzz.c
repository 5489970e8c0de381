/*
 * Fuzzes http_body. The first byte chooses framing and limit, the rest is
 * what follows the head. Beyond not crashing:
 *  - byte by byte the result is the same as at once;
 *  - decoding takes the same bytes, and gives what a plain decoder written
 *    down in another way gives.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "http/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void begin(struct http_body *body, uint8_t choice)
{
	http_body_init(body, (enum http_framing)(choice % 4), choice / 8,
		       choice & 4 ? 16 : 0);
}

static void check_by_bytes(const struct http_body *whole, ssize_t taken,
			   uint8_t choice, const char *buf, size_t size)
{
	struct http_body body;
	ssize_t n = 0, sum = 0;
	size_t i;

	begin(&body, choice);
	for (i = 0; i < size && n >= 0; i++) {
		n = http_body_take(&body, buf + i, 1);
		if (n >= 0)
			sum += n;
	}
	assert(taken < 0 ? n == taken : sum == taken);
	assert(body.state == whole->state || taken < 0);
	assert(body.content == whole->content || taken < 0);
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

static void check_decode(const struct http_body *whole, ssize_t taken,
			 uint8_t choice, char *buf, size_t size)
{
	char *plain = calloc(2, size + 1), *expected = plain + size + 1;
	struct http_body body;
	size_t len;

	assert(plain);
	memcpy(plain, buf, size);
	begin(&body, choice);
	assert(http_body_decode(&body, buf, size, &len) == taken);
	if (taken >= 0) {
		assert((int64_t)len == whole->content);
		if (choice % 4 != HTTP_CHUNKED)
			assert(!memcmp(buf, plain, len));
		else if (whole->state == HTTP_BODY_END)
			assert(decode_plainly(plain, expected) == len &&
			       !memcmp(expected, buf, len));
	}
	free(plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_body body;
	ssize_t taken;
	char *buf;

	if (size-- < 2)
		return 0;
	buf = malloc(size);
	assert(buf);
	memcpy(buf, data + 1, size);
	begin(&body, data[0]);
	taken = http_body_take(&body, buf, size);
	assert(taken <= (ssize_t)size);
	assert(taken < 0 || taken == (ssize_t)size ||
	       body.state == HTTP_BODY_END);
	assert(taken < 0 || !body.max || body.content <= body.max);
	check_by_bytes(&body, taken, data[0], buf, size);
	check_decode(&body, taken, data[0], buf, size);
	free(buf);
	return 0;
}
