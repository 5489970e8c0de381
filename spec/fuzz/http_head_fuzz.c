/*
 * Fuzzes http_head and http_forward. The first byte chooses what is read and
 * how strict the limits are, the rest is the message. Beyond not crashing:
 *  - byte by byte the result is the same as at once;
 *  - what is forwarded fits its bound and is read again as the same message,
 *    and neither copies nor drops what frames it;
 *  - what is forwarded twice does not change any more.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http/cookie.h"
#include "http/forward.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http_limits limits[] = {
	{ 8192, 4096, HTTP_MAX_FIELDS },
	{ 200, 40, 4 },
};
static const struct http_limits no_limits = { SIZE_MAX, SIZE_MAX,
					      HTTP_MAX_FIELDS };

static bool same(struct http_slice a, struct http_slice b)
{
	return a.len == b.len && (!a.len || !memcmp(a.at, b.at, a.len));
}

/* An own copy of the message, so that reading behind it is noticed. */
static char *copy(const void *data, size_t size)
{
	char *bytes = malloc(size ? size : 1);

	assert(bytes);
	if (size)
		memcpy(bytes, data, size);
	return bytes;
}

static void check_by_bytes(const struct http_head *whole, enum http_kind kind,
			   const struct http_limits *limit, const char *buf,
			   size_t size)
{
	static struct http_head head;
	enum http_scan got = HTTP_MORE;
	size_t len;

	http_head_init(&head, kind, limit);
	for (len = 0; len <= size && got == HTTP_MORE; len++)
		got = http_head_scan(&head, buf, len);
	assert(got == whole->state);
	assert(head.nfields == whole->nfields);
	if (got == HTTP_MORE)
		return;
	assert(head.status == whole->status);
	assert(got != HTTP_DONE ||
	       (head.len == whole->len && head.framing == whole->framing));
}

static ssize_t forward(const struct http_head *head, char *buf, size_t size)
{
	struct http_onward onward = { "192.0.2.1", HTTP_SLICE("sid") };
	struct http_backward backward = { .client_minor = 1,
					  .keep_alive = true };

	if (head->kind == HTTP_REQUEST)
		return http_forward_request(head, &onward, buf, size);
	return http_forward_response(head, &backward, buf, size);
}

static void check_claims(const struct http_head *head)
{
	unsigned i, n = 0;

	for (i = 0; i < head->nfields; i++)
		if (http_slice_is(head->fields[i].name,
				  HTTP_SLICE("x-forwarded-for"))) {
			assert(same(head->fields[i].value,
				    HTTP_SLICE("192.0.2.1")));
			n++;
		}
	assert(n == (head->kind == HTTP_REQUEST));
	assert(!http_cookie_find(head, HTTP_SLICE("sid")).at ||
	       head->kind != HTTP_REQUEST);
}

static void check_same_message(const struct http_head *a,
			       const struct http_head *b)
{
	bool lengthless = a->kind != HTTP_REQUEST &&
			  (a->status < 200 || a->status == 204);

	assert(b->framing == a->framing);
	assert(b->content_length == a->content_length || lengthless);
	assert(b->status == a->status);
	assert(same(a->method, b->method));
	assert(same(a->host, b->host));
	assert(same(a->reason, b->reason));
}

/* Forwards the head and reads again what comes out. */
static void check_forward(const struct http_head *head, int depth)
{
	static struct http_head heads[2];
	struct http_head *again = &heads[depth];
	size_t room = http_forward_room(head);
	char *buf = malloc(room), *exact;
	ssize_t n;

	assert(buf);
	n = forward(head, buf, room);
	assert(n > 0);
	exact = copy(buf, (size_t)n);
	assert(forward(head, buf, (size_t)n - 1) == -ENOBUFS);
	http_head_init(again, head->kind, &no_limits);
	if (http_head_scan(again, exact, (size_t)n) == HTTP_DONE) {
		assert(again->len == (size_t)n);
		check_same_message(head, again);
		if (head->kind == HTTP_REQUEST)
			check_claims(again);
		if (!depth)
			check_forward(again, 1);
	} else {
		/* only what we add can be too much */
		assert(!strcmp(again->why, "too many fields"));
	}
	free(exact);
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_head head;
	const struct http_limits *limit;
	enum http_kind kind;
	char *buf;

	if (!size)
		return 0;
	kind = (enum http_kind)(data[0] % 3);
	limit = &limits[data[0] / 3 % 2];
	buf = copy(data + 1, --size);
	http_head_init(&head, kind, limit);
	http_head_scan(&head, buf, size);
	assert(head.state != HTTP_BAD || (head.why && head.status >= 400));
	check_by_bytes(&head, kind, limit, buf, size);
	if (head.state == HTTP_DONE)
		check_forward(&head, 0);
	free(buf);
	return 0;
}
