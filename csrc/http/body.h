/*
 * http/body - where the body of a message ends
 *
 * Follows the bytes behind a head in the caller's buffer. No I/O, no
 * allocation.
 *
 *	http_body_init(&body, head.framing, head.content_length, max, 0);
 *	n = http_body_read(&body, buf, len, &kept);
 *	n < 0: the peer breaks the format, or the body is too long
 *	otherwise the first n bytes of buf were read. The first `kept` bytes of
 *	buf are to be passed on, and the len - n bytes behind the n are either
 *	not part of the body (body.state is HTTP_BODY_END) or the start of a
 *	trailer whose end has not arrived: offer them again with more.
 *
 * What is passed on is the body as it came, except for trailers that may not
 * be one (http/field.h), and all framing where HTTP_BODY_DECODE is set.
 *
 * Chunked coding is read strictly (RFC 9112 section 7.1): CRLF only, at most
 * 15 hexadecimal digits, limited extensions, trailers that are well-formed
 * fields. Blanks behind the size are an error too, except where
 * HTTP_BODY_PADDED is set: real servers pad their sizes.
 */
#ifndef GC_HTTP_BODY_H
#define GC_HTTP_BODY_H

#include <sys/types.h>

#include "http/head.h"

enum {
	HTTP_MAX_EXTENSION = 256, /* bytes between a chunk's size and CRLF */
	HTTP_MAX_TRAILERS = 4096, /* bytes of all trailers */
};

enum http_body_flags {
	HTTP_BODY_DECODE = 1, /* pass on the content alone */
	HTTP_BODY_PADDED = 2, /* accept blanks behind a chunk's size */
};

enum http_body_state {
	HTTP_BODY_END,	/* the body is complete */
	HTTP_BODY_DATA, /* `left` bytes of content follow; -1: until close */

	/* of chunked coding; what the next byte belongs to */
	HTTP_CHUNK_SIZE,      /* first digit of a size */
	HTTP_CHUNK_DIGITS,    /* a further digit, or its end */
	HTTP_CHUNK_PADDING,   /* blanks behind the digits */
	HTTP_CHUNK_EXTENSION, /* anything up to CR */
	HTTP_CHUNK_SIZE_LF,   /* LF that ends the line of a size */
	HTTP_CHUNK_DATA,      /* `left` bytes of content */
	HTTP_CHUNK_CR,	      /* CR behind the content */
	HTTP_CHUNK_LF,	      /* LF behind that */
	HTTP_TRAILER,	      /* a line of a trailer, or the empty last line */
};

struct http_body {
	enum http_body_state state;
	unsigned flags;	  /* enum http_body_flags */
	int64_t left;	  /* content bytes until the state changes */
	int64_t content;  /* content bytes read so far */
	int64_t max;	  /* content bytes allowed, 0: any number */
	unsigned ndigits; /* of the chunk size */
	unsigned extra;	  /* bytes of padding and extension, or of trailers */
};

/*
 * Begins a body; length counts for HTTP_LENGTH. max 0 means no limit; flags
 * are a set of enum http_body_flags.
 */
void http_body_init(struct http_body *body, enum http_framing framing,
		    int64_t length, int64_t max, unsigned flags);

/*
 * Reads what belongs to the body and returns the number of bytes read; moves
 * what is to be passed on to the start of buf and stores its length. -EPROTO:
 * malformed. -EFBIG: more content than max. After an error the body must not
 * be used further.
 */
ssize_t http_body_read(struct http_body *body, char *buf, size_t len,
		       size_t *kept);

/* Whether the body may end here because the connection does. */
static inline bool http_body_closes(const struct http_body *body)
{
	return body->state == HTTP_BODY_DATA && body->left < 0;
}

#endif
