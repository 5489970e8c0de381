/* http/body - see http/body.h */
#include "http/body.h"

#include <errno.h>
#include <string.h>

#define MAX_DIGITS 15 /* 60 bits: a size cannot overflow */

void http_body_init(struct http_body *body, enum http_framing framing,
		    int64_t length, int64_t max)
{
	static const enum http_body_state first[] = {
		[HTTP_NO_BODY] = HTTP_BODY_END,
		[HTTP_LENGTH] = HTTP_BODY_DATA,
		[HTTP_CHUNKED] = HTTP_CHUNK_SIZE,
		[HTTP_UNTIL_CLOSE] = HTTP_BODY_DATA,
	};

	memset(body, 0, sizeof *body);
	body->state = first[framing];
	body->left = framing == HTTP_LENGTH ? length : -1;
	body->max = max;
	if (framing == HTTP_LENGTH && !length)
		body->state = HTTP_BODY_END;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The state after c in the line of a chunk's size; negative: refused. */
static int take_size(struct http_body *body, char c)
{
	int digit = hex_digit(c);

	if (digit >= 0) {
		if (++body->ndigits > MAX_DIGITS)
			return -EPROTO;
		body->left = body->left * 16 + digit;
		return HTTP_CHUNK_DIGITS;
	}
	if (body->state == HTTP_CHUNK_SIZE)
		return -EPROTO;
	if (c == ';')
		return HTTP_CHUNK_EXTENSION;
	return c == '\r' ? HTTP_CHUNK_SIZE_LF : -EPROTO;
}

/* The same in the trailers, whose lines look like those of a head. */
static int take_trailer(struct http_body *body, char c)
{
	if (++body->extra > HTTP_MAX_TRAILERS)
		return -EPROTO;
	if (body->state == HTTP_TRAILER && c == '\r')
		return HTTP_LAST_LF;
	if (body->state == HTTP_TRAILER_VALUE) {
		if (c == '\r')
			return HTTP_TRAILER_LF;
		return http_char_is(c, HTTP_VALUE) ? HTTP_TRAILER_VALUE
						   : -EPROTO;
	}
	if (body->state == HTTP_TRAILER_NAME && c == ':')
		return HTTP_TRAILER_VALUE;
	return http_char_is(c, HTTP_TOKEN) ? HTTP_TRAILER_NAME : -EPROTO;
}

/* The size line ended: content follows, or behind a size of 0 the trailers. */
static int begin_chunk(struct http_body *body)
{
	body->ndigits = body->extra = 0;
	return body->left ? HTTP_CHUNK_DATA : HTTP_TRAILER;
}

/* The state after c, which is not content; negative: refused. */
static int take_byte(struct http_body *body, char c)
{
	switch (body->state) {
	case HTTP_CHUNK_SIZE:
		body->left = 0;
		/* fall through */
	case HTTP_CHUNK_DIGITS: return take_size(body, c);
	case HTTP_CHUNK_EXTENSION:
		if (++body->extra > HTTP_MAX_EXTENSION)
			return -EPROTO;
		if (c == '\r')
			return HTTP_CHUNK_SIZE_LF;
		return http_char_is(c, HTTP_VALUE) ? HTTP_CHUNK_EXTENSION
						   : -EPROTO;
	case HTTP_CHUNK_SIZE_LF: return c == '\n' ? begin_chunk(body) : -EPROTO;
	case HTTP_CHUNK_CR: return c == '\r' ? HTTP_CHUNK_LF : -EPROTO;
	case HTTP_CHUNK_LF: return c == '\n' ? HTTP_CHUNK_SIZE : -EPROTO;
	case HTTP_TRAILER:
	case HTTP_TRAILER_NAME:
	case HTTP_TRAILER_VALUE: return take_trailer(body, c);
	case HTTP_TRAILER_LF: return c == '\n' ? HTTP_TRAILER : -EPROTO;
	case HTTP_LAST_LF: return c == '\n' ? HTTP_BODY_END : -EPROTO;
	default: return -EPROTO; /* content and the end never come here */
	}
}

/*
 * Takes a run of content, as long as there is, or one byte that is none.
 * Returns the bytes taken, *content those of them that are content; 0 at the
 * end of the body.
 */
static ssize_t take_run(struct http_body *body, const char *buf, size_t len,
			size_t *content)
{
	int state;

	*content = 0;
	if (body->state == HTTP_BODY_END)
		return 0;
	if (body->state != HTTP_BODY_DATA && body->state != HTTP_CHUNK_DATA) {
		state = take_byte(body, *buf);
		if (state < 0)
			return state;
		body->state = (enum http_body_state)state;
		return 1;
	}
	if (body->left >= 0 && len > (uint64_t)body->left)
		len = (size_t)body->left;
	body->content += (int64_t)len;
	if (body->max && body->content > body->max)
		return -EFBIG;
	if (body->left >= 0 && !(body->left -= (int64_t)len))
		body->state = body->state == HTTP_BODY_DATA ? HTTP_BODY_END
							    : HTTP_CHUNK_CR;
	*content = len;
	return (ssize_t)len;
}

/* Takes all that belongs to the body; its content goes to `into`, if any. */
static ssize_t take(struct http_body *body, const char *buf, size_t len,
		    char *into, size_t *content_len)
{
	size_t done = 0, content;

	*content_len = 0;
	while (done < len) {
		ssize_t n = take_run(body, buf + done, len - done, &content);

		if (n < 0)
			return n;
		if (!n)
			break;
		if (into && content)
			memmove(into + *content_len, buf + done, content);
		*content_len += content;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t http_body_take(struct http_body *body, const char *buf, size_t len)
{
	size_t content_len;

	return take(body, buf, len, NULL, &content_len);
}

ssize_t http_body_decode(struct http_body *body, char *buf, size_t len,
			 size_t *content_len)
{
	return take(body, buf, len, buf, content_len);
}
