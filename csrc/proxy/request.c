/* proxy/request - see proxy/request.h */
#include "proxy/request.h"

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

/* The value of the first field of this name; at NULL: there is none. */
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

/* Remembers of the head what is asked for later. */
static void note_head(struct conn *conn, const struct http_head *head)
{
	struct proxy *proxy = conn->proxy;
	struct http_slice cookie = { proxy->names.cookie,
				     strlen(proxy->names.cookie) };
	struct exchange *http = &conn->http;

	http->method = head->method;
	http->target = head->target;
	http->host = head->host;
	http->cookie = (struct http_slice){ NULL, 0 };
	if (cookie.len)
		http->cookie = http_cookie_find(head, cookie);
	http->field = find_field(head, proxy->names.field);
	http->head_len = head->len;
	http->minor = head->minor;
	http->to_head = http_slice_equals(head->method, HTTP_SLICE("HEAD"));
	http->idempotent = is_idempotent(head->method);
	http->upgrades = http_forward_upgrades(head);
	http->keep_client = head->keep_alive;
	http_body_init(&http->request, head->framing, head->content_length,
		       proxy->options.max_body);
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

	if (n < 0)
		return (int)n;
	conn->up.head_len = (uint32_t)n;
	return 0;
}

static enum http_scan refuse(struct refusal *refusal, int status,
			     const char *text)
{
	*refusal = (struct refusal){ status, text };
	return HTTP_BAD;
}

static enum http_scan take_head(struct conn *conn, const struct http_head *head,
				struct refusal *refusal)
{
	int64_t max = conn->proxy->options.max_body;

	note_head(conn, head);
	if (max && head->content_length > max)
		return refuse(refusal, 413, "the content is too long");
	if (write_head(conn, head))
		return refuse(refusal, 503, "out of memory");
	return HTTP_DONE;
}

/* Keeps a head of which more is to come. */
static enum http_scan keep_partial(struct conn *conn,
				   const struct http_head *head,
				   struct refusal *refusal)
{
	if (conn->http.partial)
		return HTTP_MORE;
	conn->http.partial = malloc(sizeof *head);
	if (!conn->http.partial)
		return refuse(refusal, 503, "out of memory");
	*conn->http.partial = *head;
	conn_set_deadline(conn, conn->proxy->options.head_timeout_ms);
	return HTTP_MORE;
}

enum http_scan request_read(struct conn *conn, struct refusal *refusal)
{
	struct proxy *proxy = conn->proxy;
	struct http_limits limits = {
		(size_t)proxy->options.max_head,
		(size_t)proxy->options.max_head,
		HTTP_MAX_FIELDS,
	};
	struct http_head *head = conn->http.partial;
	enum http_scan got;

	if (!head) {
		head = &proxy->head;
		http_head_init(head, HTTP_REQUEST, &limits);
	}
	got = http_head_scan(head, conn->up.buf, conn->up.end);
	if (got == HTTP_MORE)
		return keep_partial(conn, head, refusal);
	if (got == HTTP_DONE)
		got = take_head(conn, head, refusal);
	else
		refuse(refusal, head->status, head->why);
	free(conn->http.partial);
	conn->http.partial = NULL;
	return got;
}

void request_pass_head(struct conn *conn)
{
	conn->up.start += (uint32_t)conn->http.head_len;
	conn->http.head_len = 0;
}

/* ---- its content ------------------------------------------------------- */

enum http_scan request_take_content(struct conn *conn, struct refusal *refusal)
{
	struct relay_pipe *up = &conn->up;
	struct http_body *body = &conn->http.request;
	ssize_t n = 0;

	if (relay_unjudged(up))
		n = http_body_take(body, up->buf + up->start + up->ready,
				   relay_unjudged(up));
	if (n == -EFBIG)
		return refuse(refusal, 413, "the content is too long");
	if (n < 0)
		return refuse(refusal, 400, "malformed chunked coding");
	up->ready += (uint32_t)n;
	return body->state == HTTP_BODY_END ? HTTP_DONE : HTTP_MORE;
}

void request_drop(struct conn *conn)
{
	struct exchange *http = &conn->http;

	relay_drop_head(&conn->up);
	/* with content, its end would have to be waited for */
	if (http->request.state != HTTP_BODY_END || conn->up.ready)
		http->keep_client = false;
	request_pass_head(conn);
}

bool request_is_repeatable(const struct conn *conn, int error)
{
	const struct exchange *http = &conn->http;

	if (!conn->up.head_sent)
		return true;
	return http->idempotent && !http->content_sent && !http->interim_sent &&
	       error != -ETIMEDOUT && error != -EPROTO;
}
