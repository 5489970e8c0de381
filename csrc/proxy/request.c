/* proxy/request - see proxy/request.h */
#include "proxy/request.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http/cookie.h"
#include "http/forward.h"

/* ---- its head ---------------------------------------------------------- */

static bool is_idempotent(struct http_slice method)
{
	static const struct http_slice methods[] = {
		HTTP_SLICE("GET"),   HTTP_SLICE("HEAD"), HTTP_SLICE("OPTIONS"),
		HTTP_SLICE("TRACE"), HTTP_SLICE("PUT"),	 HTTP_SLICE("DELETE"),
	};
	size_t i;

	for (i = 0; i < sizeof methods / sizeof methods[0]; i++)
		if (http_slice_equals(method, methods[i]))
			return true;
	return false;
}

/* The value of the first field of this name; at is NULL where it is missing. */
static struct http_slice find_field(const struct http_head *head,
				    const char *name)
{
	struct http_slice wanted = { name, strlen(name) };
	unsigned i;

	for (i = 0; wanted.len && i < head->nfields; i++)
		if (http_slice_is(head->fields[i].name, wanted))
			return head->fields[i].value;
	return (struct http_slice){ NULL, 0 };
}

/* What the owner is told of the head. */
static struct proxy_event *new_event(const struct conn *conn,
				     const struct http_head *head)
{
	const struct proxy *proxy = conn->proxy;
	struct http_slice cookie = { proxy->names.cookie,
				     strlen(proxy->names.cookie) };
	struct proxy_event request = {
		.method = head->method,
		.target = head->target,
		.host = head->host,
		.field = find_field(head, proxy->names.field),
	}, *event;

	if (cookie.len)
		request.cookie = http_cookie_find(head, cookie);
	if (proxy->options.agent)
		request.agent = find_field(head, "User-Agent");
	event = event_new_request(conn->id, &request);
	if (event)
		memcpy(event->peer, conn->peer, sizeof event->peer);
	return event;
}

/* Notes what is needed of the head later. */
static void note_head(struct conn *conn, const struct http_head *head)
{
	struct exchange *http = &conn->http;

	http->minor = head->minor;
	http->to_head = http_slice_equals(head->method, HTTP_SLICE("HEAD"));
	http->idempotent = is_idempotent(head->method);
	http->upgrades = http_forward_upgrades(head);
	http->keep_client = head->keep_alive;
	http_body_init(&http->request, head->framing, head->content_length,
		       conn->proxy->options.max_body, 0);
}

/* Writes the head that goes to the server. */
static int write_head(struct conn *conn, const struct http_head *head)
{
	struct proxy *proxy = conn->proxy;
	struct http_onward how = {
		.client = conn->peer,
		.cookie = { proxy->names.cookie, strlen(proxy->names.cookie) },
	};
	size_t room = http_forward_room(head);
	char *buf = relay_grow_head(&conn->up, room);
	ssize_t n = buf ? http_forward_request(head, &how, buf, room) : -ENOMEM;

	assert(!conn->up.head_len && n != -ENOBUFS);
	if (n < 0)
		return (int)n;
	conn->up.head_len = (uint32_t)n;
	return 0;
}

static enum http_scan request_refuse(struct refusal *refusal, int status,
				     const char *text)
{
	*refusal = (struct refusal){ status, text };
	return HTTP_BAD;
}

static enum http_scan take_head(struct conn *conn, const struct http_head *head,
				struct proxy_event **event,
				struct refusal *refusal)
{
	int64_t max = conn->proxy->options.max_body;

	note_head(conn, head);
	if (max && head->content_length > max)
		return request_refuse(refusal, 413, "the content is too long");
	assert(!conn->http.done);
	conn->http.done = event_new(conn->id);
	*event = conn->http.done ? new_event(conn, head) : NULL;
	if (!*event || write_head(conn, head)) {
		proxy_event_free(*event);
		proxy_event_free(conn->http.done);
		conn->http.done = NULL;
		return request_refuse(refusal, 503, "out of memory");
	}
	conn->up.start += (uint32_t)head->len;
	return HTTP_DONE;
}

/* Keeps an incomplete head until more arrives. */
static enum http_scan keep_partial(struct conn *conn,
				   const struct http_head *head,
				   struct refusal *refusal)
{
	if (conn->http.partial)
		return HTTP_MORE;
	conn->http.partial = malloc(sizeof *head);
	if (!conn->http.partial)
		return request_refuse(refusal, 503, "out of memory");
	*conn->http.partial = *head;
	conn_set_timeout(conn, conn->proxy->options.head_timeout_ms);
	return HTTP_MORE;
}

bool request_is_to_head(const struct conn *conn)
{
	static const char method[] = "HEAD ";
	const char *at = conn->up.buf, *end = at + conn->up.end;

	assert(!conn->up.start);
	if (end - at >= 2 && !memcmp(at, "\r\n", 2))
		at += 2; /* an empty line, which the scanner skips */
	return (size_t)(end - at) >= sizeof method - 1 &&
	       !memcmp(at, method, sizeof method - 1);
}

enum http_scan request_read(struct conn *conn, struct proxy_event **event,
			    struct refusal *refusal)
{
	struct proxy *proxy = conn->proxy;
	struct http_limits limits = {
		(size_t)proxy->options.max_head,
		(size_t)proxy->options.max_head,
		HTTP_MAX_FIELDS,
	};
	struct http_head *head = conn->http.partial;
	enum http_scan got;

	assert(conn->state == CONN_HEAD && !conn->up.start);
	if (!head) {
		head = &proxy->head;
		http_head_init(head, HTTP_REQUEST, &limits);
	}
	got = http_head_scan(head, conn->up.buf, conn->up.end);
	if (got == HTTP_MORE)
		return keep_partial(conn, head, refusal);
	if (got == HTTP_DONE)
		got = take_head(conn, head, event, refusal);
	else
		request_refuse(refusal, head->status, head->why);
	free(conn->http.partial);
	conn->http.partial = NULL;
	return got;
}

/* ---- its content ------------------------------------------------------- */

enum http_scan request_take_content(struct conn *conn, struct refusal *refusal)
{
	struct relay_pipe *up = &conn->up;
	struct http_body *body = &conn->http.request;
	size_t kept = 0, len = relay_unjudged(up);
	char *from;
	ssize_t n;

	if (!len)
		return body->state == HTTP_BODY_END ? HTTP_DONE : HTTP_MORE;
	from = up->buf + up->start + up->ready;
	n = http_body_read(body, from, len, &kept);
	if (n == -EFBIG)
		return request_refuse(refusal, 413, "the content is too long");
	if (n < 0)
		return request_refuse(refusal, 400, "malformed chunked coding");
	/* dropped trailers leave a gap before the next request */
	if (kept < (size_t)n) {
		memmove(from + kept, from + n, len - (size_t)n);
		up->end -= (uint32_t)((size_t)n - kept);
	}
	up->ready += (uint32_t)kept;
	return body->state == HTTP_BODY_END ? HTTP_DONE : HTTP_MORE;
}

void request_drop(struct conn *conn)
{
	struct exchange *http = &conn->http;

	relay_drop_head(&conn->up);
	/* with content, its end would have to be waited for */
	if (http->request.state != HTTP_BODY_END || conn->up.ready)
		http->keep_client = false;
}

bool request_is_repeatable(const struct conn *conn, int error)
{
	const struct exchange *http = &conn->http;

	if (http->answered)
		return false;
	if (!conn->up.head_sent)
		return true;
	return http->idempotent && !http->content_sent && error != -ETIMEDOUT;
}
