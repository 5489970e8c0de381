/*
 * proxy/request - http: what comes from the client (see proxy/conn.h)
 *
 * Reads a request and prepares what goes to the server; changes no state. Of a
 * head nothing stays in up.buf. What is sent in its place is in up.head, and
 * stays there until a response begins, so that it can be sent again.
 */
#ifndef GC_PROXY_REQUEST_H
#define GC_PROXY_REQUEST_H

#include "proxy/conn.h"

/* The answer to a bad request. */
struct refusal {
	int status;
	const char *text;
};

/*
 * Reads a head, some of which is there. HTTP_MORE: it goes on, and head_timeout
 * is running. HTTP_DONE: *event is for the owner, PROXY_REQUEST. HTTP_BAD:
 * *refusal is set.
 */
enum http_scan request_read(struct conn *conn, struct proxy_event **event,
			    struct refusal *refusal);

/* Whether what is there of a head, complete or not, is a HEAD request. */
bool request_is_to_head(const struct conn *conn);

/*
 * Judges what is there of the content; what is good may be sent on. HTTP_MORE:
 * it goes on. HTTP_DONE: that was all. HTTP_BAD: *refusal is set.
 */
enum http_scan request_take_content(struct conn *conn, struct refusal *refusal);

/*
 * Gives up a request that no server is to answer. Where its content has not
 * been read to the end, no request can follow it.
 */
void request_drop(struct conn *conn);

/*
 * Whether the request may be sent to a server once more after this negated
 * errno: nothing of it was sent, or it is idempotent and nothing was answered.
 * After a silence the server may still be working on it.
 */
bool request_is_repeatable(const struct conn *conn, int error);

/* Whether everything of the request has been written. */
static inline bool request_is_sent(const struct conn *conn)
{
	return conn->http.request.state == HTTP_BODY_END &&
	       !relay_pending(&conn->up);
}

#endif
