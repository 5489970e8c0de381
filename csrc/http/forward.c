/* http/forward - see http/forward.h */
#include "http/forward.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "http/cookie.h"

/* Where the bytes go; once there was no room, nothing more is written. */
struct out {
	char *buf;
	size_t len, size;
	bool full;
};

static void put(struct out *out, struct http_slice s)
{
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

static ssize_t finish(struct out *out)
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

/* Fields of one connection only, and those that are written anew. */
static bool is_own(const struct http_head *head, struct http_slice name)
{
	static const struct http_slice own[] = {
		HTTP_SLICE("connection"),	 HTTP_SLICE("keep-alive"),
		HTTP_SLICE("proxy-connection"),	 HTTP_SLICE("te"),
		HTTP_SLICE("upgrade"),		 HTTP_SLICE("content-length"),
		HTTP_SLICE("transfer-encoding"),
	};
	size_t i;

	for (i = 0; i < sizeof own / sizeof own[0]; i++)
		if (http_slice_is(name, own[i]))
			return true;
	return head->has_connection && is_listed(head, name);
}

/*
 * Fields by which a client could claim to be someone else. Servers that hand
 * fields on as environment variables cannot tell '_' from '-'.
 */
static bool is_claim(struct http_slice name)
{
	char plain[sizeof "x-forwarded-" - 1];
	struct http_slice start = { plain, name.len };
	size_t i;

	if (start.len > sizeof plain)
		start.len = sizeof plain;
	for (i = 0; i < start.len; i++)
		plain[i] = name.at[i] == '_' ? '-' : name.at[i];
	return http_slice_is(start, HTTP_SLICE("x-forwarded-")) ||
	       http_slice_is(start, HTTP_SLICE("x-real-ip")) ||
	       http_slice_is(start, HTTP_SLICE("forwarded"));
}

/* A Cookie field without the cookie of this name, if any other is left. */
static void put_cookies(struct out *out, struct http_slice list,
			struct http_slice name)
{
	struct http_slice pair, before = HTTP_SLICE("Cookie: ");
	bool any = false;

	while (http_slice_next(&list, ';', &pair)) {
		if (!pair.len || http_cookie_is(pair, name, NULL))
			continue;
		put(out, before);
		put(out, pair);
		before = HTTP_SLICE("; ");
		any = true;
	}
	if (any)
		put(out, HTTP_SLICE("\r\n"));
}

static void put_request_fields(struct out *out, const struct http_head *head,
			       const struct http_onward *how)
{
	unsigned i;

	for (i = 0; i < head->nfields; i++) {
		const struct http_field *field = &head->fields[i];

		if (http_slice_is(field->name, HTTP_SLICE("host")) ||
		    is_own(head, field->name) || is_claim(field->name))
			continue;
		/* no answer to it may be sent to an HTTP/1.0 client */
		if (!head->minor &&
		    http_slice_is(field->name, HTTP_SLICE("expect")))
			continue;
		if (how->cookie.len &&
		    http_slice_is(field->name, HTTP_SLICE("cookie")))
			put_cookies(out, field->value, how->cookie);
		else
			put_field(out, field->name, field->value);
	}
}

/* The length a message states, if one may stand in it, or its coding. */
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

/*
 * HTTP/2 and TLS in the tunnel would carry requests past us that nobody has
 * looked at. RFC 9110 section 7.8 lets a server overlook any Upgrade, as we do
 * where a body stands between the request and the tunnel.
 */
bool http_forward_upgrades(const struct http_head *request)
{
	struct http_slice list = request->upgrade, item;

	if (!list.at || request->framing != HTTP_NO_BODY)
		return false;
	while (http_slice_next(&list, ',', &item))
		if (http_slice_is(item, HTTP_SLICE("h2c")) ||
		    http_slice_begins(item, HTTP_SLICE("tls")) ||
		    http_slice_begins(item, HTTP_SLICE("http")))
			return false;
	return true;
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
 * Each field gets a blank behind its colon at most; Host is repeated in
 * X-Forwarded-Host; all that is added beside that is shorter than 256 bytes.
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
		put_field(&out, HTTP_SLICE("Upgrade"), request->upgrade);
	} else if (takes_trailers(request)) {
		put(&out, HTTP_SLICE("Connection: TE\r\nTE: trailers\r\n"));
	}
	return finish(&out);
}

static void put_status_line(struct out *out, const struct http_head *head)
{
	put(out, HTTP_SLICE("HTTP/1.1 "));
	put_number(out, head->status);
	put(out, HTTP_SLICE(" "));
	put(out, head->reason);
	put(out, HTTP_SLICE("\r\n"));
}

/* Upgrade tells of a switch made (101), or demanded (426). */
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
		put_field(out, HTTP_SLICE("Upgrade"), head->upgrade);
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

	put_status_line(&out, response);
	for (i = 0; i < response->nfields; i++)
		if (!is_own(response, response->fields[i].name))
			put_field(&out, response->fields[i].name,
				  response->fields[i].value);
	/* RFC 9112 section 6.2: these state no length, they have no body */
	if (!interim && response->status != 204 &&
	    !(response->has_coding && how->decoded))
		put_framing(&out, response);
	if (how->set_cookie && (!interim || response->status == 101)) {
		put(&out, HTTP_SLICE("Set-Cookie: "));
		put_text(&out, how->set_cookie);
		put(&out, HTTP_SLICE("\r\n"));
	}
	put_connection(&out, response, how);
	return finish(&out);
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

ssize_t http_forward_answer(const struct http_answer *answer, char *buf,
			    size_t size)
{
	int n = snprintf(buf, size,
			 "HTTP/1.1 %d %s\r\n"
			 "Content-Type: text/plain; charset=utf-8\r\n"
			 "Content-Length: %zu\r\n"
			 "Cache-Control: no-store\r\n"
			 "%s%s"
			 "\r\n%s%s",
			 answer->status, reason_of(answer->status),
			 strlen(answer->text) + 1,
			 answer->status == 503 ? "Retry-After: 1\r\n" : "",
			 answer->keep_alive ? "" : "Connection: close\r\n",
			 answer->to_head ? "" : answer->text,
			 answer->to_head ? "" : "\n");

	return n < 0 || (size_t)n >= size ? -ENOBUFS : n;
}
