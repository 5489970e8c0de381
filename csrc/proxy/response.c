/* proxy/response - see proxy/response.h */
#include "proxy/response.h"

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

/* Writes a head behind what of earlier ones is not sent yet. */
static int write_head(struct conn *conn, const struct http_head *head,
		      const struct http_backward *how)
{
	size_t room = http_forward_room(head) +
		      (how->set_cookie ? strlen(how->set_cookie) : 0);
	char *buf = relay_grow_head(&conn->down, room);
	ssize_t n = buf ? http_forward_response(head, how, buf, room) : -ENOMEM;

	if (n < 0)
		return (int)n;
	conn->down.head_len += (uint32_t)n;
	return 0;
}

/* Passes over a head that was read. */
static void pass_head(struct conn *conn, const struct http_head *head)
{
	conn->down.start += (uint32_t)head->len;
	free(conn->http.partial);
	conn->http.partial = NULL;
}

/* A 1xx: goes on as it is, unless the client is too old to know it. */
static int take_interim(struct conn *conn, const struct http_head *head)
{
	static const struct http_backward how = { .client_minor = 1,
						  .keep_alive = true };

	/* out of memory the client will do without it */
	if (conn->http.minor && !write_head(conn, head, &how))
		conn->http.interim_sent = true;
	pass_head(conn, head);
	return RESPONSE_INTERIM;
}

/* What the owner will be told when it is over. */
static void note_status(struct conn *conn, const struct http_head *head)
{
	conn->status = head->status;
	conn->wait_ms = conn->proxy->now - conn->http.routed_ms;
}

static int take_switch(struct conn *conn, const struct http_head *head)
{
	const struct http_backward how = {
		.client_minor = 1,
		.keep_alive = true,
		.set_cookie = conn->http.set_cookie,
	};

	if (!conn->http.upgrades || !head->upgrade.at || !request_is_sent(conn))
		return -EPROTO;
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
	/* what has not been sent by now may never be: no next request then */
	http->keep_client = http->keep_client && request_is_sent(conn) &&
			    head->framing != HTTP_UNTIL_CLOSE && !http->decoded;
	how.keep_alive = http->keep_client;
	how.decoded = http->decoded;
	if (write_head(conn, head, &how))
		return -ENOMEM;
	http->keep_upstream = http_head_reusable(head);
	http_body_init(&http->response, head->framing, head->content_length, 0);
	note_status(conn, head);
	if (request_is_sent(conn))
		relay_drop_head(&conn->up);
	pass_head(conn, head);
	return RESPONSE_FINAL;
}

/* Keeps a head of which more is to come. */
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
	struct http_limits limits = { (size_t)proxy->options.max_head, 0,
				      HTTP_MAX_FIELDS };
	struct http_head *head = conn->http.partial;

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
	case HTTP_BAD: return -EPROTO;
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
	char *from = down->buf + down->start + down->ready;
	size_t content, len = relay_unjudged(down);
	ssize_t n;

	if (!len)
		return 0;
	if (conn->http.decoded)
		n = http_body_decode(body, from, len, &content);
	else
		n = http_body_take(body, from, len);
	if (n < 0)
		return (int)n;
	down->ready += (uint32_t)(conn->http.decoded ? content : (size_t)n);
	if ((size_t)n < len) /* more than was announced: not trusted on */
		conn->http.keep_upstream = false;
	if (conn->http.decoded)
		down->end = down->start + down->ready;
	return 0;
}

/* ---- an answer of our own ---------------------------------------------- */

int response_answer(struct conn *conn, int status, const char *text)
{
	struct relay_pipe *down = &conn->down;
	struct http_answer answer = {
		.status = status,
		.text = text,
		.keep_alive = conn->http.keep_client,
		.to_head = conn->http.to_head,
	};
	size_t room = strlen(text) + HTTP_ANSWER_ROOM;
	ssize_t n = -ENOMEM;
	char *buf;

	relay_drop_buf(&conn->proxy->pool, down);
	buf = relay_grow_head(down, room);
	if (buf)
		n = http_forward_answer(&answer, buf, room);
	if (n < 0)
		return (int)n;
	down->head_len += (uint32_t)n;
	if (conn->http.told) {
		conn->status = status;
		conn->wait_ms = -1;
	}
	return 0;
}
