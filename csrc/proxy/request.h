/*
 * proxy/request - http: what comes from the client (see proxy/conn.h)
 *
 * Reads a request and has ready what goes to the server; changes no state. A
 * request's head stays at the start of up.buf while the owner is asked, whose
 * event points into it; what will be sent instead is in up.head already and
 * stays there until a response begins, so that it can be sent again.
 */
#ifndef GC_PROXY_REQUEST_H
#define GC_PROXY_REQUEST_H

#include "proxy/conn.h"

/* What a bad request is answered with. */
struct refusal {
	int status;
	const char *text;
};

/*
 * Reads a head, of which some has come. HTTP_MORE: it goes on, and head_timeout
 * counts; HTTP_DONE: the owner may be asked; HTTP_BAD: *refusal is set.
 */
enum http_scan request_read(struct conn *conn, struct refusal *refusal);

/*
 * Judges what has come of the content; what is good may be sent on. HTTP_MORE:
 * it goes on; HTTP_DONE: that was all; HTTP_BAD: *refusal is set.
 */
enum http_scan request_take_content(struct conn *conn, struct refusal *refusal);

/* Passes over the head as it came: no event points to it any more. */
void request_pass_head(struct conn *conn);

/*
 * Gives up a request that no server is to answer. What of it is in the buffer
 * is not the next one; where its end has not come there will be none.
 */
void request_drop(struct conn *conn);

/*
 * Whether the request may go to a server once more after this negated errno.
 * After a silence it may be at work on it still, and what answers with
 * nonsense has had it.
 */
bool request_is_repeatable(const struct conn *conn, int error);

/* Whether all of the request has been written. */
static inline bool request_is_sent(const struct conn *conn)
{
	return conn->http.request.state == HTTP_BODY_END &&
	       !relay_pending(&conn->up);
}

#endif
