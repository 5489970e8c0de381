/*
 * http/body - where the body of a message ends
 *
 * Follows the bytes behind a head, without keeping any: the raw bytes are
 * passed on as they are. No I/O, no allocation.
 *
 *	http_body_init(&body, head.framing, head.content_length, max);
 *	n = http_body_take(&body, buf, len);
 *	n < 0: the peer does not keep to the format, or the body is too long
 *	otherwise the first n bytes of buf belong to the body, and when
 *	body.state is HTTP_BODY_END nothing behind them does.
 *
 * Chunked coding is read strictly (RFC 9112 section 7.1): CRLF only, at most
 * 15 hexadecimal digits, no blank behind them, limited extensions, trailers
 * that are well-formed fields.
 */
#ifndef GC_HTTP_BODY_H
#define GC_HTTP_BODY_H

#include <sys/types.h>

#include "http/head.h"

enum {
	HTTP_MAX_EXTENSION = 256, /* bytes behind a chunk's size */
	HTTP_MAX_TRAILERS = 4096, /* bytes of all trailers */
};

enum http_body_state {
	HTTP_BODY_END,	/* the body is complete */
	HTTP_BODY_DATA, /* `left` bytes of content; -1: until close */

	/* of chunked coding; what the next byte belongs to */
	HTTP_CHUNK_SIZE,      /* first digit of a size */
	HTTP_CHUNK_DIGITS,    /* a further digit, or its end */
	HTTP_CHUNK_EXTENSION, /* anything up to CR */
	HTTP_CHUNK_SIZE_LF,
	HTTP_CHUNK_DATA, /* `left` bytes of content */
	HTTP_CHUNK_CR,	 /* behind the content */
	HTTP_CHUNK_LF,
	HTTP_TRAILER, /* first byte of a trailer, or the last CR */
	HTTP_TRAILER_NAME,
	HTTP_TRAILER_VALUE,
	HTTP_TRAILER_LF,
	HTTP_LAST_LF,
};

struct http_body {
	enum http_body_state state;
	int64_t left;	  /* content bytes until the state changes */
	int64_t content;  /* content bytes taken so far */
	int64_t max;	  /* content bytes allowed, 0: any number */
	unsigned ndigits; /* of the chunk size */
	unsigned extra;	  /* bytes of extension, or of trailers */
};

/* Begins a body; length counts for HTTP_LENGTH. max 0 means no limit. */
void http_body_init(struct http_body *body, enum http_framing framing,
		    int64_t length, int64_t max);

/*
 * Takes as many of len bytes as belong to the body and returns their number;
 * fewer than len only at the body's end. -EPROTO: malformed. -EFBIG: more
 * content than max. After an error the body must not be used further.
 */
ssize_t http_body_take(struct http_body *body, const char *buf, size_t len);

/*
 * As http_body_take(), for a receiver that does not know chunked coding: also
 * moves the content to the start of buf and stores its length.
 */
ssize_t http_body_decode(struct http_body *body, char *buf, size_t len,
			 size_t *content_len);

/* Whether the body may end here because the connection does. */
static inline bool http_body_closes(const struct http_body *body)
{
	return body->state == HTTP_BODY_DATA && body->left < 0;
}

#endif
