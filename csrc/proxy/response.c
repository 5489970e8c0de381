/* proxy/response - see proxy/response.h */
#include "proxy/response.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http/forward.h"
#include "proxy/request.h"

enum {
	MAX_SET_COOKIE = 4096, /* bytes; browsers take no longer ones */
};

int response_set_cookie(struct conn *conn, const char *value)
{
	struct http_slice s = { value, strlen(value) };
	char *copy;

	if (s.len > MAX_SET_COOKIE || http_slice_span(s, HTTP_VALUE) != s.len)
		return -EINVAL;
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	free(conn->http.set_cookie);
	conn->http.set_cookie = copy;
	return 0;
}

/* ---- a server's head --------------------------------------------------- */

/* Writes a head behind what is left of earlier ones. */
static int write_head(struct conn *conn, const struct http_head *head,
		      const struct http_backward *how)
{
	size_t room = http_forward_room(head) +
		      (how->set_cookie ? strlen(how->set_cookie) : 0);
	ssize_t n = -ENOMEM;
	char *buf;

	relay_trim_head(&conn->down);
	buf = relay_grow_head(&conn->down, room);
	if (buf)
		n = http_forward_response(head, how, buf, room);
	assert(n != -ENOBUFS);
	if (n < 0)
		return (int)n;
	conn->down.head_len += (uint32_t)n;
	return 0;
}

/* Skips a head that was read. */
static void pass_head(struct conn *conn, const struct http_head *head)
{
	assert(head->state == HTTP_DONE);
	conn->down.start += (uint32_t)head->len;
	free(conn->http.partial);
	conn->http.partial = NULL;
}

/* A 1xx is passed on, unless the client's version is too old for it. */
static int take_interim(struct conn *conn, const struct http_head *head)
{
	static const struct http_backward how = { .client_minor = 1,
						  .keep_alive = true };

	/* where memory is short the client can do without it */
	if (conn->http.minor)
		write_head(conn, head, &how);
	pass_head(conn, head);
	return RESPONSE_INTERIM;
}

/* Notes what the owner is told when the request is over. */
static void note_status(struct conn *conn, const struct http_head *head)
{
	assert(conn->http.routed_ms &&
	       conn->http.routed_ms <= conn->proxy->now);
	conn->http.status = head->status;
	conn->http.wait_ms = conn->proxy->now - conn->http.routed_ms;
}

static int refuse_response(struct conn *conn, const char *detail)
{
	conn->http.detail = detail;
	return -EPROTO;
}

static int take_switch(struct conn *conn, const struct http_head *head)
{
	const struct http_backward how = {
		.client_minor = 1,
		.keep_alive = true,
		.set_cookie = conn->http.set_cookie,
	};

	if (!conn->http.upgrades || !head->upgrade.at || !request_is_sent(conn))
		return refuse_response(conn, "it switches protocols unasked");
	if (write_head(conn, head, &how))
		return -ENOMEM;
	note_status(conn, head);
	relay_drop_head(&conn->up);
	pass_head(conn, head);
	return RESPONSE_SWITCH;
}

static int take_final(struct conn *conn, const struct http_head *head)
{
	struct exchange *http = &conn->http;
	struct http_backward how = {
		.client_minor = http->minor,
		.set_cookie = http->set_cookie,
	};

	http->decoded = head->framing == HTTP_CHUNKED && !http->minor;
	/* what has not been sent by now may never be; then none can follow */
	http->keep_client = http->keep_client && request_is_sent(conn) &&
			    head->framing != HTTP_UNTIL_CLOSE &&
			    !http->decoded && !conn->proxy->draining;
	how.keep_alive = http->keep_client;
	how.decoded = http->decoded;
	http->begins_at = conn->nsent + relay_head_left(&conn->down);
	if (write_head(conn, head, &how))
		return -ENOMEM;
	http->keep_upstream = http_head_reusable(head);
	http_body_init(&http->response, head->framing, head->content_length, 0,
		       HTTP_BODY_PADDED |
			       (http->decoded ? HTTP_BODY_DECODE : 0u));
	note_status(conn, head);
	if (request_is_sent(conn))
		relay_drop_head(&conn->up);
	pass_head(conn, head);
	return RESPONSE_FINAL;
}

/* Keeps an incomplete head until more arrives. */
static int keep_partial(struct conn *conn, const struct http_head *head)
{
	if (conn->http.partial)
		return RESPONSE_MORE;
	conn->http.partial = malloc(sizeof *head);
	if (!conn->http.partial)
		return -ENOMEM;
	*conn->http.partial = *head;
	return RESPONSE_MORE;
}

int response_take_head(struct conn *conn)
{
	struct proxy *proxy = conn->proxy;
	struct http_limits limits = { (size_t)proxy->options.max_response_head,
				      0, HTTP_MAX_FIELDS };
	struct http_head *head = conn->http.partial;

	assert(conn->state == CONN_REQUEST);
	if (relay_head_left(&conn->down) >= RELAY_BLOCK)
		return RESPONSE_FULL;
	if (!head) {
		relay_compact(&proxy->pool, &conn->down);
		if (!conn->down.end)
			return RESPONSE_MORE;
		head = &proxy->head;
		http_head_init(head,
			       conn->http.to_head ? HTTP_RESPONSE_TO_HEAD
						  : HTTP_RESPONSE,
			       &limits);
	}
	switch (http_head_scan(head, conn->down.buf, conn->down.end)) {
	case HTTP_MORE: return keep_partial(conn, head);
	case HTTP_BAD: return refuse_response(conn, head->why);
	case HTTP_DONE: break;
	}
	if (head->status == 101)
		return take_switch(conn, head);
	if (head->status < 200)
		return take_interim(conn, head);
	return take_final(conn, head);
}

/* ---- its content ------------------------------------------------------- */

int response_take_content(struct conn *conn)
{
	struct relay_pipe *down = &conn->down;
	struct http_body *body = &conn->http.response;
	size_t kept, len = relay_unjudged(down);
	char *from;
	ssize_t n;

	if (!len)
		return 0;
	from = down->buf + down->start + down->ready;
	n = http_body_read(body, from, len, &kept);
	if (n < 0)
		return refuse_response(conn, "malformed chunked coding");
	/* what is behind the end was not asked for: such a server is not kept */
	if (body->state == HTTP_BODY_END && (size_t)n < len)
		conn->http.keep_upstream = false;
	if (kept < (size_t)n) {
		memmove(from + kept, from + n, len - (size_t)n);
		down->end -= (uint32_t)((size_t)n - kept);
	}
	down->ready += (uint32_t)kept;
	if (down->start == down->end)
		relay_drop_buf(&conn->proxy->pool, down);
	return 0;
}

bool response_take_back(struct conn *conn)
{
	struct relay_pipe *down = &conn->down;
	uint64_t begins_at = conn->http.begins_at;

	if (conn->nsent > begins_at || !relay_head_left(down))
		return false;
	assert(begins_at - conn->nsent < relay_head_left(down));
	/* what is left of interim responses still goes out */
	down->head_len = down->head_sent + (uint32_t)(begins_at - conn->nsent);
	relay_drop_buf(&conn->proxy->pool, down);
	return true;
}

/* ---- an answer of the proxy's own --------------------------------------- */

int response_answer(struct conn *conn, int status, const char *text)
{
	struct relay_pipe *down = &conn->down;
	struct http_answer answer = {
		.status = status,
		.text = text,
		.client_minor = conn->http.minor,
		.keep_alive = conn->http.keep_client,
		.to_head = conn->http.to_head,
	};
	size_t room = strlen(text) + HTTP_ANSWER_ROOM;
	ssize_t n = -ENOMEM;
	char *buf;

	relay_drop_buf(&conn->proxy->pool, down);
	relay_trim_head(down);
	buf = relay_grow_head(down, room);
	if (buf)
		n = http_forward_answer(&answer, buf, room);
	assert(n != -ENOBUFS);
	if (n < 0)
		return (int)n;
	down->head_len += (uint32_t)n;
	conn->http.status = status;
	conn->http.wait_ms = -1;
	return 0;
}
