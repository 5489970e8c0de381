/*
 * http/head - a strict, incremental scanner of HTTP/1.x message heads
 *
 * No I/O, no allocation, no copies: its results are slices of the caller's
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
 * Strict: RFC 9112 lets recipients repair some mistakes, and two recipients may
 * do so in two ways; such messages are refused. Lines end with CRLF only; no
 * line is folded; no blank stands before a colon; there is at most one
 * Content-Length, and none beside Transfer-Encoding, which is "chunked" or
 * missing. What is forwarded can therefore be read in one way only, and nobody
 * can hide a request inside another.
 *
 * The result does not depend on how the bytes were split between calls.
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
	HTTP_RESPONSE_TO_HEAD, /* has no body, whatever its fields say */
};

enum http_scan {
	HTTP_MORE, /* the head has not ended yet */
	HTTP_DONE, /* all fields below are set */
	HTTP_BAD,  /* refused: status and why tell the reason */
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
	struct http_slice host;	  /* the target's authority, otherwise Host */
	bool expects_continue;	  /* Expect: 100-continue, and a body follows */

	int status; /* of a response; of a refused request: the answer's */
	struct http_slice reason; /* may be empty */
	const char *why;	  /* HTTP_BAD: one line without full stop */

	/* of both */
	size_t len; /* bytes of the head */
	int minor;  /* HTTP/1.minor, 0 or 1 */
	enum http_framing framing;
	int64_t content_length;	   /* as the field says, -1: there is none */
	bool keep_alive;	   /* Connection allows a next message */
	struct http_slice upgrade; /* the first Upgrade, if Connection names it;
				    * further ones are in fields */

	/* the scanner's own: how far it got, and what it saw on the way */
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
 * Begins a new head; slices found before become invalid. The limits are copied.
 */
void http_head_init(struct http_head *head, enum http_kind kind,
		    const struct http_limits *limits);

/*
 * Scans buf, which holds len bytes by now: the bytes of the previous call, and
 * more behind them. Skips an empty line before a request, as RFC 9112 section
 * 2.2 asks. After HTTP_DONE or HTTP_BAD it returns the same again.
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
