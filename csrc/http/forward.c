/* http/forward - see http/forward.h */
#include "http/forward.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "http/cookie.h"
#include "http/field.h"

/* Where the bytes go. After the first that do not fit, nothing is written. */
struct out {
	char *buf;
	size_t len, size;
	bool full;
};

static void put(struct out *out, struct http_slice s)
{
	assert(out->len <= out->size);
	out->full |= s.len > out->size - out->len;
	if (out->full || !s.len)
		return;
	memcpy(out->buf + out->len, s.at, s.len);
	out->len += s.len;
}

static void put_text(struct out *out, const char *text)
{
	put(out, (struct http_slice){ text, strlen(text) });
}

static void put_field(struct out *out, struct http_slice name,
		      struct http_slice value)
{
	put(out, name);
	put(out, HTTP_SLICE(": "));
	put(out, value);
	put(out, HTTP_SLICE("\r\n"));
}

/* Writes a number that is not negative. */
static void put_number(struct out *out, int64_t number)
{
	char digits[20];
	char *first = digits + sizeof digits;

	do
		*--first = (char)('0' + number % 10);
	while (number /= 10);
	put(out, (struct http_slice){
			 first, (size_t)(digits + sizeof digits - first) });
}

static ssize_t out_end(struct out *out)
{
	put(out, HTTP_SLICE("\r\n"));
	return out->full ? -ENOBUFS : (ssize_t)out->len;
}

/* Whether a Connection field of the message names this field. */
static bool is_listed(const struct http_head *head, struct http_slice name)
{
	unsigned i;

	for (i = 0; i < head->nfields; i++)
		if (http_slice_is(head->fields[i].name,
				  HTTP_SLICE("connection")) &&
		    http_slice_lists(head->fields[i].value, name))
			return true;
	return false;
}

/* Whether the field is left out of, or written anew in, any message. */
static bool is_own(const struct http_head *head, struct http_slice name)
{
	return http_field_is_hop(name) ||
	       (head->has_connection && is_listed(head, name));
}

/* ---- cookies ------------------------------------------------------------ */

/* A piece of a Cookie field: as it stands there, and without blanks around. */
struct piece {
	struct http_slice raw, pair;
};

/* Takes the next piece up to a ';'; false when the list is used up. */
static bool next_piece(struct http_slice *list, struct piece *piece)
{
	struct http_slice before = *list;

	if (!http_slice_next(list, ';', &piece->pair))
		return false;
	piece->raw = before;
	if (list->at)
		piece->raw.len = (size_t)(list->at - before.at) - 1;
	return true;
}

static bool has_cookie(struct http_slice list, struct http_slice name)
{
	struct piece piece;

	while (next_piece(&list, &piece))
		if (http_cookie_is(piece.pair, name, NULL))
			return true;
	return false;
}

/*
 * A Cookie field without the cookie of this name; nothing where no other is
 * left. The others are passed on byte for byte.
 */
static void put_cookies(struct out *out, const struct http_field *field,
			struct http_slice name)
{
	struct http_slice list = field->value;
	struct piece piece;
	bool any = false;

	if (!has_cookie(list, name)) {
		put_field(out, field->name, field->value);
		return;
	}
	while (next_piece(&list, &piece)) {
		if (!piece.pair.len || http_cookie_is(piece.pair, name, NULL))
			continue;
		put(out, any ? HTTP_SLICE(";") : HTTP_SLICE("Cookie: "));
		if (!any) { /* blanks before the first are not a cookie's */
			piece.raw.len -= (size_t)(piece.pair.at - piece.raw.at);
			piece.raw.at = piece.pair.at;
		}
		put(out, piece.raw);
		any = true;
	}
	if (any)
		put(out, HTTP_SLICE("\r\n"));
}

/* ---- requests ----------------------------------------------------------- */

static void put_request_fields(struct out *out, const struct http_head *head,
			       const struct http_onward *how)
{
	unsigned i;

	for (i = 0; i < head->nfields; i++) {
		const struct http_field *field = &head->fields[i];

		if (http_slice_is(field->name, HTTP_SLICE("host")) ||
		    is_own(head, field->name) ||
		    http_field_is_claim(field->name))
			continue;
		/* an HTTP/1.0 client could not read the answer to it */
		if (!head->minor &&
		    http_slice_is(field->name, HTTP_SLICE("expect")))
			continue;
		if (how->cookie.len &&
		    http_slice_is(field->name, HTTP_SLICE("cookie")))
			put_cookies(out, field, how->cookie);
		else
			put_field(out, field->name, field->value);
	}
}

/* The length that the message states, or else its coding. */
static void put_framing(struct out *out, const struct http_head *head)
{
	if (head->content_length >= 0) {
		put(out, HTTP_SLICE("Content-Length: "));
		put_number(out, head->content_length);
		put(out, HTTP_SLICE("\r\n"));
	} else if (head->has_coding) {
		put(out, HTTP_SLICE("Transfer-Encoding: chunked\r\n"));
	}
}

/* Whether an item of this Upgrade field names HTTP/2 or TLS. */
static bool hides_requests(struct http_slice list)
{
	struct http_slice item;

	while (http_slice_next(&list, ',', &item))
		if (http_slice_is(item, HTTP_SLICE("h2c")) ||
		    http_slice_begins(item, HTTP_SLICE("tls")) ||
		    http_slice_begins(item, HTTP_SLICE("http")))
			return true;
	return false;
}

static bool is_upgrade(const struct http_field *field)
{
	return http_slice_is(field->name, HTTP_SLICE("upgrade"));
}

/*
 * HTTP/2 and TLS in the tunnel would carry requests past the proxy unseen. A
 * server may ignore any Upgrade (RFC 9110 section 7.8); the proxy does so for
 * these, and where a body stands between the request and the tunnel.
 */
bool http_forward_upgrades(const struct http_head *request)
{
	unsigned i;

	if (!request->upgrade.at || request->framing != HTTP_NO_BODY)
		return false;
	for (i = 0; i < request->nfields; i++)
		if (is_upgrade(&request->fields[i]) &&
		    hides_requests(request->fields[i].value))
			return false;
	return true;
}

/* All Upgrade fields as one list, which they are (RFC 9110 section 5.3). */
static void put_upgrade(struct out *out, const struct http_head *head)
{
	struct http_slice before = HTTP_SLICE("Upgrade: ");
	unsigned i;

	assert(head->upgrade.at);
	for (i = 0; i < head->nfields; i++) {
		if (!is_upgrade(&head->fields[i]))
			continue;
		put(out, before);
		put(out, head->fields[i].value);
		before = HTTP_SLICE(", ");
	}
	put(out, HTTP_SLICE("\r\n"));
}

static bool takes_trailers(const struct http_head *head)
{
	unsigned i;

	for (i = 0; i < head->nfields; i++)
		if (http_slice_is(head->fields[i].name, HTTP_SLICE("te")) &&
		    http_slice_lists(head->fields[i].value,
				     HTTP_SLICE("trailers")))
			return true;
	return false;
}

static void put_request_line(struct out *out, const struct http_head *head)
{
	put(out, head->method);
	put(out, HTTP_SLICE(" "));
	if (head->path.at[0] == '?')
		put(out, HTTP_SLICE("/"));
	put(out, head->path);
	put(out, HTTP_SLICE(" HTTP/1.1\r\n"));
}

/*
 * What is copied gets one blank more for each field, behind its colon. Host is
 * written twice, the second time as X-Forwarded-Host. Everything else that is
 * added is shorter than 256 bytes. Fields are shortened or left out, never
 * lengthened.
 */
size_t http_forward_room(const struct http_head *head)
{
	return head->len + head->nfields + head->host.len + 256;
}

ssize_t http_forward_request(const struct http_head *request,
			     const struct http_onward *how, char *buf,
			     size_t size)
{
	struct out out = { .buf = buf, .size = size };

	assert(request->kind == HTTP_REQUEST && request->state == HTTP_DONE);
	put_request_line(&out, request);
	put_field(&out, HTTP_SLICE("Host"), request->host);
	put_request_fields(&out, request, how);
	put_framing(&out, request);
	put(&out, HTTP_SLICE("X-Forwarded-For: "));
	put_text(&out, how->client);
	put(&out, HTTP_SLICE("\r\nX-Forwarded-Proto: http\r\n"));
	if (request->host.len)
		put_field(&out, HTTP_SLICE("X-Forwarded-Host"), request->host);
	put(&out, HTTP_SLICE("Via: 1."));
	put(&out, request->minor ? HTTP_SLICE("1") : HTTP_SLICE("0"));
	put(&out, HTTP_SLICE(" gridcentric\r\n"));
	if (http_forward_upgrades(request)) {
		put(&out, HTTP_SLICE("Connection: upgrade\r\n"));
		put_upgrade(&out, request);
	} else if (takes_trailers(request)) {
		put(&out, HTTP_SLICE("Connection: TE\r\nTE: trailers\r\n"));
	}
	return out_end(&out);
}

static void put_status_line(struct out *out, const struct http_head *head)
{
	put(out, HTTP_SLICE("HTTP/1.1 "));
	put_number(out, head->status);
	put(out, HTTP_SLICE(" "));
	put(out, head->reason);
	put(out, HTTP_SLICE("\r\n"));
}

/* Upgrade stands in responses that switch protocols (101) or demand it (426). */
static void put_connection(struct out *out, const struct http_head *head,
			   const struct http_backward *how)
{
	bool upgrade = head->upgrade.at &&
		       (head->status == 101 || head->status == 426);
	const char *then = !how->keep_alive	? "close"
			   : !how->client_minor ? "keep-alive"
						: NULL;

	if (head->status < 200)
		then = NULL;
	if (upgrade)
		put_upgrade(out, head);
	if (!upgrade && !then)
		return;
	put(out, HTTP_SLICE("Connection: "));
	if (upgrade)
		put_text(out, then ? "upgrade, " : "upgrade");
	if (then)
		put_text(out, then);
	put(out, HTTP_SLICE("\r\n"));
}

ssize_t http_forward_response(const struct http_head *response,
			      const struct http_backward *how, char *buf,
			      size_t size)
{
	struct out out = { .buf = buf, .size = size };
	bool interim = response->status < 200;
	unsigned i;

	assert(response->kind != HTTP_REQUEST && response->state == HTTP_DONE);
	put_status_line(&out, response);
	for (i = 0; i < response->nfields; i++)
		if (!is_own(response, response->fields[i].name))
			put_field(&out, response->fields[i].name,
				  response->fields[i].value);
	/*
	 * 1xx and 204 state no length (RFC 9112 section 6.2), and a client of
	 * HTTP/1.0 knows no coding, also where no body follows.
	 */
	assert(!how->decoded || !how->client_minor);
	if (!interim && response->status != 204 &&
	    !(response->has_coding && !how->client_minor))
		put_framing(&out, response);
	if (how->set_cookie && (!interim || response->status == 101)) {
		put(&out, HTTP_SLICE("Set-Cookie: "));
		put_text(&out, how->set_cookie);
		put(&out, HTTP_SLICE("\r\n"));
	}
	put_connection(&out, response, how);
	return out_end(&out);
}

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ 400, "Bad Request" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 408, "Request Timeout" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
	};
	size_t i;

	for (i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Error";
}

/* The Connection field that says what happens to the client's connection. */
static const char *connection_of(const struct http_answer *answer)
{
	if (!answer->keep_alive)
		return "Connection: close\r\n";
	return answer->client_minor ? "" : "Connection: keep-alive\r\n";
}

ssize_t http_forward_answer(const struct http_answer *answer, char *buf,
			    size_t size)
{
	int n;

	assert(answer->status >= 400 && answer->status <= 599);
	n = snprintf(buf, size,
		     "HTTP/1.1 %d %s\r\n"
		     "Content-Type: text/plain; charset=utf-8\r\n"
		     "Content-Length: %zu\r\n"
		     "Cache-Control: no-store\r\n"
		     "%s%s"
		     "\r\n%s%s",
		     answer->status, reason_of(answer->status),
		     strlen(answer->text) + 1,
		     answer->status == 503 ? "Retry-After: 1\r\n" : "",
		     connection_of(answer), answer->to_head ? "" : answer->text,
		     answer->to_head ? "" : "\n");
	return n < 0 || (size_t)n >= size ? -ENOBUFS : n;
}
