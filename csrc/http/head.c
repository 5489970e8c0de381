/* http/head - see http/head.h */
#include "http/head.h"

#include <assert.h>
#include <string.h>

void http_head_init(struct http_head *head, enum http_kind kind,
		    const struct http_limits *limits)
{
	memset(head, 0, offsetof(struct http_head, fields));
	assert(limits->nfields <= HTTP_MAX_FIELDS);
	head->kind = kind;
	head->limits = *limits;
	head->content_length = -1;
}

/*
 * The functions below return HTTP_MORE where the scan may go on, and
 * head_refuse()'s HTTP_BAD where not. A malformed response is the server's
 * fault: 502.
 */
static enum http_scan head_refuse(struct http_head *head, int status,
				  const char *why)
{
	head->status = head->kind == HTTP_REQUEST ? status : 502;
	head->why = why;
	head->state = HTTP_BAD;
	return HTTP_BAD;
}

static struct http_slice slice(const char *from, const char *to)
{
	return (struct http_slice){ from, (size_t)(to - from) };
}

/* uri-host [":" port] of RFC 3986; `empty` tells whether the name may be. */
static bool is_host(struct http_slice s, bool empty)
{
	const char *end = s.at + s.len, *at = s.at;
	int64_t port;

	if (s.len > HTTP_MAX_HOST)
		return false;
	if (s.len && *at == '[') {
		at++;
		at += http_slice_span(slice(at, end), HTTP_ADDRESS);
		if (at == end || *at++ != ']' || at - s.at < 4)
			return false;
	} else {
		at += http_slice_span(s, HTTP_HOST);
		if (at == s.at && !empty)
			return false;
	}
	if (at == end)
		return true;
	if (*at++ != ':')
		return false;
	port = http_slice_number(slice(at, end));
	return at == end || (port >= 0 && port <= 65535);
}

/*
 * Splits the target. CONNECT and other schemes are for forward proxies only.
 * Every server must accept the absolute form (RFC 9112 section 3.2.2), whose
 * authority then takes the place of the Host field.
 */
static enum http_scan read_target(struct http_head *head)
{
	struct http_slice target = head->target;
	const char *end = target.at + target.len, *path;
	bool options = http_slice_equals(head->method, HTTP_SLICE("OPTIONS"));

	head->path = target;
	if (target.at[0] == '/')
		return HTTP_MORE;
	if (target.len == 1 && target.at[0] == '*' && options)
		return HTTP_MORE;
	if (http_slice_begins(target, HTTP_SLICE("http://")))
		target.at += 7;
	else if (http_slice_begins(target, HTTP_SLICE("https://")))
		target.at += 8;
	else
		return head_refuse(head, 400, "invalid request target");
	for (path = target.at; path < end && *path != '/' && *path != '?';)
		path++;
	head->host = slice(target.at, path);
	if (!is_host(head->host, false))
		return head_refuse(head, 400, "invalid host in the target");
	head->path = slice(path, end);
	if (path == end)
		head->path = options ? HTTP_SLICE("*") : HTTP_SLICE("/");
	return HTTP_MORE;
}

/* "HTTP/1.x"; a minor version above 1 means 1.1 (RFC 9110 section 2.5). */
static enum http_scan read_version(struct http_head *head, struct http_slice s)
{
	if (s.len != 8 || memcmp(s.at, "HTTP/", 5) || s.at[6] != '.' ||
	    s.at[5] < '0' || s.at[5] > '9' || s.at[7] < '0' || s.at[7] > '9')
		return head_refuse(head, 400,
				   "invalid or missing HTTP version");
	if (s.at[5] != '1')
		return head_refuse(head, 505, "only HTTP/1.x is spoken here");
	head->minor = s.at[7] > '0';
	return HTTP_MORE;
}

static enum http_scan read_request_line(struct http_head *head,
					struct http_slice line)
{
	const char *end = line.at + line.len, *at = line.at;

	at += http_slice_span(line, HTTP_TOKEN);
	head->method = slice(line.at, at);
	if (!head->method.len || at == end || *at != ' ')
		return head_refuse(head, 400, "invalid method");
	head->target.at = ++at;
	at += http_slice_span(slice(at, end), HTTP_TARGET);
	head->target.len = (size_t)(at - head->target.at);
	if (head->target.len > head->limits.target_len)
		return head_refuse(head, 414, "the target is too long");
	if (!head->target.len || (at < end && *at != ' '))
		return head_refuse(head, 400, "invalid request target");
	if (read_version(head, slice(at < end ? at + 1 : at, end)))
		return HTTP_BAD;
	if (http_slice_is(head->method, HTTP_SLICE("CONNECT")))
		return head_refuse(head, 501, "CONNECT is not for this server");
	return read_target(head);
}

/* "HTTP/1.x 200 reason"; many servers leave out the blank and the reason. */
static enum http_scan read_status_line(struct http_head *head,
				       struct http_slice line)
{
	struct http_slice rest = line;
	int64_t status;

	if (line.len < 12 || line.at[8] != ' ' ||
	    (line.len > 12 && line.at[12] != ' '))
		return head_refuse(head, 502, "invalid status line");
	rest.len = 8;
	if (read_version(head, rest))
		return HTTP_BAD;
	status = http_slice_number(slice(line.at + 9, line.at + 12));
	if (status < 100)
		return head_refuse(head, 502, "invalid status");
	head->status = (int)status;
	rest = slice(line.at + 12, line.at + line.len);
	head->reason = http_slice_trim(rest);
	if (http_slice_span(rest, HTTP_VALUE) != rest.len)
		return head_refuse(head, 502, "control byte in the reason");
	return HTTP_MORE;
}

static enum http_scan take_host(struct http_head *head, struct http_slice value)
{
	if (head->has_host)
		return head_refuse(head, 400, "several Host fields");
	head->has_host = true;
	if (!is_host(value, true))
		return head_refuse(head, 400, "invalid Host field");
	if (!head->host.at)
		head->host = value;
	return HTTP_MORE;
}

static enum http_scan take_length(struct http_head *head,
				  struct http_slice value)
{
	if (head->content_length >= 0)
		return head_refuse(head, 400, "several Content-Length fields");
	head->content_length = http_slice_number(value);
	if (head->content_length < 0)
		return head_refuse(head, 400, "invalid Content-Length");
	return HTTP_MORE;
}

/*
 * Accepts "chunked" and nothing else. With a further coding before it the end
 * could be found, but we do not understand the content: 501. Where chunked is
 * not the last coding, or stands twice, nobody can tell where the body ends:
 * 400.
 */
static enum http_scan take_coding(struct http_head *head,
				  struct http_slice value)
{
	struct http_slice item;
	unsigned nchunked = 0, nitems = 0;
	bool last = false;

	if (head->has_coding)
		return head_refuse(head, 400,
				   "several Transfer-Encoding fields");
	head->has_coding = true;
	while (http_slice_next(&value, ',', &item)) {
		last = http_slice_is(item, HTTP_SLICE("chunked"));
		nchunked += last;
		nitems++;
	}
	if (!last || nchunked != 1)
		return head_refuse(head, 400, "ambiguous Transfer-Encoding");
	if (nitems != 1)
		return head_refuse(head, 501, "unknown transfer coding");
	return HTTP_MORE;
}

static enum http_scan take_connection(struct http_head *head,
				      struct http_slice value)
{
	struct http_slice item;

	head->has_connection = true;
	while (http_slice_next(&value, ',', &item)) {
		if (http_slice_is(item, HTTP_SLICE("close")))
			head->says_close = true;
		else if (http_slice_is(item, HTTP_SLICE("keep-alive")))
			head->says_keep_alive = true;
		else if (http_slice_is(item, HTTP_SLICE("upgrade")))
			head->says_upgrade = true;
	}
	return HTTP_MORE;
}

static enum http_scan take_upgrade(struct http_head *head,
				   struct http_slice value)
{
	if (!head->upgrade.at)
		head->upgrade = value;
	return HTTP_MORE;
}

static enum http_scan take_expect(struct http_head *head,
				  struct http_slice value)
{
	if (http_slice_is(value, HTTP_SLICE("100-continue")))
		head->expects_continue = true;
	return HTTP_MORE;
}

/* The fields that this scanner itself acts on. */
static const struct {
	struct http_slice name;
	enum http_scan (*take)(struct http_head *head, struct http_slice value);
} known[] = {
	{ HTTP_SLICE("host"), take_host },
	{ HTTP_SLICE("content-length"), take_length },
	{ HTTP_SLICE("transfer-encoding"), take_coding },
	{ HTTP_SLICE("connection"), take_connection },
	{ HTTP_SLICE("upgrade"), take_upgrade },
	{ HTTP_SLICE("expect"), take_expect },
};

static enum http_scan read_field(struct http_head *head, struct http_slice line)
{
	const char *end = line.at + line.len, *colon = line.at;
	struct http_slice value;
	struct http_field *field;
	size_t i;

	if (*line.at == ' ' || *line.at == '\t')
		return head_refuse(head, 400, "folded line");
	colon += http_slice_span(line, HTTP_TOKEN);
	if (colon == line.at && *colon == ':')
		return head_refuse(head, 400, "empty field name");
	if (colon < end && (*colon == ' ' || *colon == '\t'))
		return head_refuse(head, 400, "blank before the colon");
	if (colon == line.at || colon == end || *colon != ':')
		return head_refuse(head, 400, "invalid field name");
	value = slice(colon + 1, end);
	if (http_slice_span(value, HTTP_VALUE) != value.len)
		return head_refuse(head, 400, "control byte in a field");
	if (head->nfields >= head->limits.nfields ||
	    head->nfields >= HTTP_MAX_FIELDS)
		return head_refuse(head, 431, "too many fields");
	field = &head->fields[head->nfields++];
	field->name = slice(line.at, colon);
	field->value = http_slice_trim(value);
	for (i = 0; i < sizeof known / sizeof known[0]; i++)
		if (http_slice_is(field->name, known[i].name))
			return known[i].take(head, field->value);
	return HTTP_MORE;
}

/* RFC 9112 section 6.3; what is ambiguous was refused before. */
static enum http_framing framing_of(const struct http_head *head)
{
	if (head->kind == HTTP_RESPONSE_TO_HEAD)
		return HTTP_NO_BODY;
	if (head->kind == HTTP_RESPONSE &&
	    (head->status < 200 || head->status == 204 || head->status == 304))
		return HTTP_NO_BODY;
	if (head->has_coding)
		return HTTP_CHUNKED;
	if (head->content_length > 0)
		return HTTP_LENGTH;
	if (head->kind == HTTP_RESPONSE && head->content_length < 0)
		return HTTP_UNTIL_CLOSE;
	return HTTP_NO_BODY;
}

/* The empty line was read: checks what the fields mean together. */
static enum http_scan head_complete(struct http_head *head)
{
	if (head->kind == HTTP_REQUEST && head->minor && !head->has_host)
		return head_refuse(head, 400, "no Host field");
	if (head->has_coding && head->content_length >= 0)
		return head_refuse(head, 400,
				   "Content-Length beside Transfer-Encoding");
	if (head->has_coding && !head->minor)
		return head_refuse(head, 400, "Transfer-Encoding in HTTP/1.0");
	head->framing = framing_of(head);
	head->keep_alive =
		!head->says_close && (head->minor || head->says_keep_alive);
	if (!head->says_upgrade || !head->minor)
		head->upgrade = (struct http_slice){ NULL, 0 };
	if (!head->minor || head->framing == HTTP_NO_BODY)
		head->expects_continue = false;
	assert(head->state == HTTP_MORE && head->started);
	head->len = head->line;
	head->state = HTTP_DONE;
	return HTTP_DONE;
}

/* Takes the line that ends before offset `end`, line feed included. */
static enum http_scan read_line(struct http_head *head, const char *buf,
				size_t end)
{
	struct http_slice line = slice(buf + head->line, buf + end);

	if (line.len < 2 || line.at[line.len - 2] != '\r')
		return head_refuse(head, 400,
				   "line feed without carriage return");
	line.len -= 2;
	head->line = head->looked = end;
	if (head->started)
		return line.len ? read_field(head, line) : head_complete(head);
	if (!line.len)
		return HTTP_MORE; /* before a request; may_start() allowed it */
	head->started = true;
	return head->kind == HTTP_REQUEST ? read_request_line(head, line)
					  : read_status_line(head, line);
}

/*
 * Whether a message may begin with this byte. Refuses what is plainly something
 * else, such as a TLS handshake, without waiting for a whole line of it.
 */
static bool may_start(const struct http_head *head, char c)
{
	if (head->kind != HTTP_REQUEST)
		return c == 'H';
	return http_char_is(c, HTTP_TOKEN) || (c == '\r' && !head->line);
}

enum http_scan http_head_scan(struct http_head *head, const char *buf,
			      size_t len)
{
	assert(head->line <= head->looked);
	assert(head->state != HTTP_MORE || head->looked <= len);
	while (head->state == HTTP_MORE && head->looked < len) {
		const char *lf;
		size_t end;

		if (!head->started && !may_start(head, buf[head->line]))
			return head_refuse(head, 400, "this is not HTTP");
		lf = memchr(buf + head->looked, '\n', len - head->looked);
		/* a line without line feed needs at least one more byte */
		end = lf ? (size_t)(lf - buf) + 1 : len + 1;
		if (end > head->limits.head_len)
			return head->started
				       ? head_refuse(head, 431,
						     "the head is too long")
				       : head_refuse(head, 414,
						     "the target is too long");
		if (!lf) {
			head->looked = len;
			break;
		}
		read_line(head, buf, end);
		assert(head->state != HTTP_MORE || head->looked == end);
	}
	return head->state;
}
