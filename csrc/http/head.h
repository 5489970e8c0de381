/*
 * http/head - a strict, incremental scanner of HTTP/1.x message heads
 *
 * No I/O, no allocation, no copies: what it finds are slices of the caller's
 * buffer, which must stay in place from http_head_init() to their last use.
 *
 *	http_head_init(&head, HTTP_REQUEST, &limits);
 *	do
 *		len += read more behind buf + len;
 *	while ((got = http_head_scan(&head, buf, len)) == HTTP_MORE);
 *	if (got == HTTP_BAD)
 *		answer head.status, head.why
 *	the body begins at buf + head.len
 *
 * Strict means: whatever RFC 9112 lets a recipient mend, and two recipients
 * might mend in two ways, is refused. Line ends are CRLF only; no folding, no
 * blank before a colon, one Content-Length at most and never beside
 * Transfer-Encoding, which is "chunked" or nothing. So what is forwarded has
 * one reading only, and nobody can hide a request inside another.
 *
 * The result does not depend on how the bytes were cut into calls.
 */
#ifndef GC_HTTP_HEAD_H
#define GC_HTTP_HEAD_H

#include "http/slice.h"

enum {
	HTTP_MAX_FIELDS = 100, /* browsers send about 15 */
	HTTP_MAX_HOST = 300,   /* bytes; DNS allows 253, then comes a port */
};

enum http_kind {
	HTTP_REQUEST,
	HTTP_RESPONSE,
	HTTP_RESPONSE_TO_HEAD, /* without a body, whatever its fields say */
};

enum http_scan {
	HTTP_MORE, /* the head has not ended yet */
	HTTP_DONE, /* all fields below are set */
	HTTP_BAD,  /* refused: see status and why */
};

/* How the end of the body is found (RFC 9112 section 6). */
enum http_framing {
	HTTP_NO_BODY,
	HTTP_LENGTH, /* content_length bytes, at least one */
	HTTP_CHUNKED,
	HTTP_UNTIL_CLOSE, /* responses only */
};

struct http_limits {
	size_t head_len;   /* bytes up to and with the empty line */
	size_t target_len; /* bytes of the request target */
	unsigned nfields;  /* up to HTTP_MAX_FIELDS */
};

struct http_field {
	struct http_slice name, value; /* value without blanks around it */
};

struct http_head {
	/* a request's */
	struct http_slice method;
	struct http_slice target; /* as it was sent */
	struct http_slice path;	  /* of the target: "/...", "?query" or "*" */
	struct http_slice host;	  /* authority of the target, else Host */
	bool expects_continue;	  /* Expect: 100-continue, and a body follows */

	/* a response's; of a request: what to answer when it is refused */
	int status;
	struct http_slice reason; /* may be empty */
	const char *why;	  /* HTTP_BAD: one line without full stop */

	/* of both */
	size_t len; /* bytes of the head */
	int minor;  /* HTTP/1.minor, 0 or 1 */
	enum http_framing framing;
	int64_t content_length;	   /* as the field says, -1: there is none */
	bool keep_alive;	   /* Connection allows a next message */
	struct http_slice upgrade; /* Upgrade, if Connection names it */

	/* how far the scanner got, and what it saw on the way */
	enum http_kind kind;
	enum http_scan state;
	struct http_limits limits;
	size_t line;   /* offset of the line being read */
	size_t looked; /* up to here that line has no end */
	bool started;  /* the request or status line was read */
	bool has_host, has_coding, has_connection;
	bool says_close, says_keep_alive, says_upgrade;

	unsigned nfields;
	struct http_field fields[HTTP_MAX_FIELDS]; /* last: not cleared */
};

/*
 * Begins a new head. Slices that were found before are void. The limits are
 * copied.
 */
void http_head_init(struct http_head *head, enum http_kind kind,
		    const struct http_limits *limits);

/*
 * Looks at buf, of which len bytes are there by now: the same bytes as in the
 * call before, and more behind them. An empty line before a request is passed
 * over, as RFC 9112 section 2.2 asks. Once it returned HTTP_DONE or HTTP_BAD
 * it goes on returning that.
 *
 * HTTP_BAD leaves status: 400, 414, 431, 501 or 505 for a request, 502 for a
 * response.
 */
enum http_scan http_head_scan(struct http_head *head, const char *buf,
			      size_t len);

/* Whether another message may follow the response on its connection. */
static inline bool http_head_reusable(const struct http_head *response)
{
	return response->keep_alive && response->framing != HTTP_UNTIL_CLOSE;
}

#endif
