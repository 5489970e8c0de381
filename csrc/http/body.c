/* http/body - see http/body.h */
#include "http/body.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "http/field.h"

#define MAX_DIGITS 15 /* 60 bits: a size cannot overflow */

void http_body_init(struct http_body *body, enum http_framing framing,
		    int64_t length, int64_t max, unsigned flags)
{
	static const enum http_body_state first[] = {
		[HTTP_NO_BODY] = HTTP_BODY_END,
		[HTTP_LENGTH] = HTTP_BODY_DATA,
		[HTTP_CHUNKED] = HTTP_CHUNK_SIZE,
		[HTTP_UNTIL_CLOSE] = HTTP_BODY_DATA,
	};

	assert(max >= 0);
	assert(framing != HTTP_LENGTH || length >= 0);
	memset(body, 0, sizeof *body);
	body->state = first[framing];
	body->flags = flags;
	body->left = framing == HTTP_LENGTH ? length : -1;
	body->max = max;
	if (framing == HTTP_LENGTH && !length)
		body->state = HTTP_BODY_END;
}

/* ---- the line of a chunk's size ----------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The state after c behind a size; negative: refused. */
static int after_size(struct http_body *body, char c)
{
	if (c == '\r')
		return HTTP_CHUNK_SIZE_LF;
	if (c == ';')
		return HTTP_CHUNK_EXTENSION;
	if (!is_blank(c) || !(body->flags & HTTP_BODY_PADDED) ||
	    ++body->extra > HTTP_MAX_EXTENSION)
		return -EPROTO;
	return HTTP_CHUNK_PADDING;
}

/* The state after c, a digit of a size or what follows it. */
static int take_digit(struct http_body *body, char c)
{
	int digit = hex_digit(c);

	if (digit < 0)
		return body->ndigits ? after_size(body, c) : -EPROTO;
	if (++body->ndigits > MAX_DIGITS)
		return -EPROTO;
	body->left = body->left * 16 + digit;
	return HTTP_CHUNK_DIGITS;
}

static int take_extension(struct http_body *body, char c)
{
	if (++body->extra > HTTP_MAX_EXTENSION)
		return -EPROTO;
	if (c == '\r')
		return HTTP_CHUNK_SIZE_LF;
	return http_char_is(c, HTTP_VALUE) ? HTTP_CHUNK_EXTENSION : -EPROTO;
}

/* The size line has ended: content follows, or trailers behind a size of 0. */
static int begin_chunk(struct http_body *body)
{
	assert(body->ndigits && body->left >= 0);
	body->ndigits = body->extra = 0;
	return body->left ? HTTP_CHUNK_DATA : HTTP_TRAILER;
}

/* The state after c, a byte of framing outside trailers; negative: refused. */
static int take_framing(struct http_body *body, char c)
{
	switch (body->state) {
	case HTTP_CHUNK_SIZE: body->left = 0; return take_digit(body, c);
	case HTTP_CHUNK_DIGITS: return take_digit(body, c);
	case HTTP_CHUNK_PADDING: return after_size(body, c);
	case HTTP_CHUNK_EXTENSION: return take_extension(body, c);
	case HTTP_CHUNK_SIZE_LF: return c == '\n' ? begin_chunk(body) : -EPROTO;
	case HTTP_CHUNK_CR: return c == '\r' ? HTTP_CHUNK_LF : -EPROTO;
	case HTTP_CHUNK_LF: return c == '\n' ? HTTP_CHUNK_SIZE : -EPROTO;
	default: assert(!"content, trailers and the end are read elsewhere");
	}
	return -EPROTO;
}

/* ---- trailers ----------------------------------------------------------- */

/*
 * Reads one line of the trailers, which must be there whole: its name decides
 * whether it is passed on. Returns its length, 0 where its end is missing.
 */
static ssize_t take_trailer(struct http_body *body, const char *buf, size_t len,
			    bool *keep)
{
	const char *lf = memchr(buf, '\n', len);
	struct http_slice name = { buf, 0 }, value;

	if (lf)
		len = (size_t)(lf - buf) + 1;
	if (body->extra + len > HTTP_MAX_TRAILERS)
		return -EPROTO;
	if (!lf)
		return 0;
	if (len < 2 || lf[-1] != '\r')
		return -EPROTO;
	body->extra += (unsigned)len;
	*keep = true;
	if (len == 2) {
		body->state = HTTP_BODY_END;
		return 2;
	}
	name.len = len;
	name.len = http_slice_span(name, HTTP_TOKEN);
	if (!name.len || buf[name.len] != ':')
		return -EPROTO;
	value = (struct http_slice){ buf + name.len + 1, len - name.len - 3 };
	if (http_slice_span(value, HTTP_VALUE) != value.len)
		return -EPROTO;
	*keep = http_field_may_trail(name);
	return (ssize_t)len;
}

/* ---- all of it ---------------------------------------------------------- */

/* Reads content as far as it goes. */
static ssize_t take_content(struct http_body *body, size_t len)
{
	assert(body->left);
	if (body->left >= 0 && len > (uint64_t)body->left)
		len = (size_t)body->left;
	body->content += (int64_t)len;
	if (body->max && body->content > body->max)
		return -EFBIG;
	if (body->left >= 0 && !(body->left -= (int64_t)len))
		body->state = body->state == HTTP_BODY_DATA ? HTTP_BODY_END
							    : HTTP_CHUNK_CR;
	return (ssize_t)len;
}

/*
 * Reads a run of content, a byte of framing or a line of the trailers. Returns
 * its length, 0 where more must come first, and whether to pass it on.
 */
static ssize_t take_run(struct http_body *body, const char *buf, size_t len,
			bool *keep)
{
	bool decode = body->flags & HTTP_BODY_DECODE;
	ssize_t n;
	int state;

	switch (body->state) {
	case HTTP_BODY_DATA:
	case HTTP_CHUNK_DATA: *keep = true; return take_content(body, len);
	case HTTP_TRAILER:
		n = take_trailer(body, buf, len, keep);
		*keep = *keep && !decode;
		return n;
	default:
		*keep = !decode;
		state = take_framing(body, *buf);
		if (state < 0)
			return state;
		body->state = (enum http_body_state)state;
		return 1;
	}
}

ssize_t http_body_read(struct http_body *body, char *buf, size_t len,
		       size_t *kept)
{
	size_t done = 0;

	*kept = 0;
	while (done < len && body->state != HTTP_BODY_END) {
		bool keep = false;
		ssize_t n = take_run(body, buf + done, len - done, &keep);

		if (n < 0)
			return n;
		if (!n)
			break;
		if (keep && *kept != done)
			memmove(buf + *kept, buf + done, (size_t)n);
		if (keep)
			*kept += (size_t)n;
		done += (size_t)n;
	}
	assert(*kept <= done && done <= len);
	assert(done == len || body->state == HTTP_BODY_END ||
	       body->state == HTTP_TRAILER);
	return (ssize_t)done;
}
