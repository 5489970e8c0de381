/* proxy/exchange - see proxy/exchange.h */
#include "proxy/exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "proxy/request.h"
#include "proxy/response.h"
#include "proxy/tunnel.h"

enum {
	LINGER_MS = 2000, /* for a client to read our last answer */
	READS = 4,	  /* of one server before others get their turn */
};

static void begin(struct conn *conn);

/* ---- the end of an exchange -------------------------------------------- */

/* The last answer is out: closes so that the client can read it. */
static void linger(struct conn *conn)
{
	if (request_is_sent(conn) && !relay_unjudged(&conn->up)) {
		conn_end(conn);
		return;
	}
	/* closing with bytes unread would send a reset past our answer */
	conn->state = CONN_LINGER;
	conn_disconnect(conn);
	relay_reset(&conn->proxy->pool, &conn->up);
	shutdown(conn->client.fd, SHUT_WR);
	conn_set_deadline(conn, LINGER_MS);
}

static bool may_keep_upstream(const struct conn *conn)
{
	return conn->upstream && conn->http.keep_upstream && !conn->detach &&
	       !conn->down.eof && !relay_unjudged(&conn->down) &&
	       request_is_sent(conn);
}

static void finish(struct conn *conn)
{
	struct relay_pool *pool = &conn->proxy->pool;
	bool ours = conn->state == CONN_ANSWER;

	if (conn->http.told)
		loop_complete(conn->proxy->loop, &conn->done, PROXY_DONE);
	if (!ours && may_keep_upstream(conn))
		conn->upstream->reused = true;
	else if (!ours)
		conn_disconnect(conn);
	relay_drop_head(&conn->up);
	relay_drop_head(&conn->down);
	relay_drop_buf(pool, &conn->down);
	conn->down.eof = false;
	if (conn->http.keep_client)
		begin(conn);
	else
		linger(conn);
}

/* After the client took something: what is complete gets its end. */
static void settle(struct conn *conn)
{
	bool said = conn->state == CONN_ANSWER ||
		    (conn->state == CONN_RESPONSE &&
		     conn->http.response.state == HTTP_BODY_END);

	if (said && !relay_pending(&conn->down))
		finish(conn);
}

static void send_back(struct conn *conn)
{
	conn_flush_down(conn);
	settle(conn);
}

/* Answers with a status and line of our own instead of a response. */
static void answer(struct conn *conn, int status, const char *text,
		   bool keep_client)
{
	if (conn->state == CONN_CONNECTING || conn->state == CONN_REQUEST)
		conn_disconnect(conn);
	request_drop(conn);
	conn->http.keep_client = conn->http.keep_client && keep_client;
	if (response_answer(conn, status, text)) {
		conn_abort(conn);
		return;
	}
	conn->state = CONN_ANSWER;
	send_back(conn);
}

/* ---- from the client --------------------------------------------------- */

static void read_head(struct conn *conn)
{
	struct refusal refusal;

	switch (request_read(conn, &refusal)) {
	case HTTP_MORE: break;
	case HTTP_DONE: conn_ask(conn, PROXY_REQUEST); break;
	case HTTP_BAD: answer(conn, refusal.status, refusal.text, false); break;
	}
}

/* Waits for the next request, of which some may be there. */
static void begin(struct conn *conn)
{
	struct exchange *http = &conn->http;

	free(http->set_cookie);
	memset(http, 0, sizeof *http);
	conn->state = CONN_HEAD;
	conn_set_deadline(conn, conn->proxy->options.idle_timeout_ms);
	relay_compact(&conn->proxy->pool, &conn->up);
	if (conn->up.end)
		read_head(conn);
}

/* Sends on what has come. */
static void pump(struct conn *conn)
{
	struct refusal refusal;

	if (request_take_content(conn, &refusal) != HTTP_BAD)
		conn_flush_up(conn);
	else if (conn->state == CONN_RESPONSE)
		conn_abort(conn);
	else
		answer(conn, refusal.status, refusal.text, false);
}

static void client_readable(struct conn *conn)
{
	struct proxy *proxy = conn->proxy;
	ssize_t n = relay_read(&proxy->pool, &conn->up, conn->client.fd);

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		conn_end(conn);
		return;
	}
	conn->nreceived += (uint64_t)n;
	switch (conn->state) {
	case CONN_HEAD: read_head(conn); break;
	case CONN_CONNECTING:
	case CONN_REQUEST:
	case CONN_RESPONSE: pump(conn); break;
	case CONN_LINGER: relay_drop_buf(&proxy->pool, &conn->up); break;
	default: break; /* it waits in the buffer */
	}
}

static void client_ready(struct loop_source *source, uint32_t events)
{
	struct conn *conn = container_of(source, struct conn, client);

	conn->proxy->now = loop_now();
	if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) {
		conn_end(conn);
		return;
	}
	if (events & EPOLLIN)
		client_readable(conn);
	if (events & EPOLLOUT && conn->state != CONN_DEAD)
		send_back(conn);
	conn_go_on(conn);
}

/* ---- to a server ------------------------------------------------------- */

static void start_sending(struct conn *conn)
{
	conn->state = CONN_REQUEST;
	pump(conn);
}

/*
 * Whether the server has closed the kept connection, as far as one can know.
 * Worth a look only before what cannot be sent twice.
 */
static bool is_stale(const struct conn *conn)
{
	char c;

	if (conn->http.idempotent)
		return false;
	return recv(conn->upstream->source.fd, &c, 1, MSG_PEEK) >= 0 ||
	       errno != EAGAIN;
}

static bool fits(const struct conn *conn, const struct address *address)
{
	const struct upstream *kept = conn->upstream;

	return kept && kept->address.len == address->len &&
	       !memcmp(&kept->address.any, &address->any, address->len) &&
	       !is_stale(conn);
}

static int route(struct conn *conn, const struct address *address,
		 const char *set_cookie)
{
	int err = set_cookie ? response_set_cookie(conn, set_cookie) : 0;

	if (err)
		return err;
	conn_decided(conn);
	conn->http.routed_ms = conn->proxy->now;
	request_pass_head(conn);
	if (conn->up.start == conn->up.end)
		relay_drop_buf(&conn->proxy->pool, &conn->up);
	if (fits(conn, address)) {
		start_sending(conn);
		return 0;
	}
	conn_disconnect(conn);
	conn_connect(conn, address);
	return 0;
}

static int refuse(struct conn *conn, int status, const char *text)
{
	if (status < 400 || status > 599)
		return -EINVAL;
	conn_decided(conn);
	answer(conn, status, text, true);
	return 0;
}

/* The server failed before its response began. */
static void failed(struct conn *conn, int error)
{
	const struct upstream *upstream = conn->upstream;
	bool repeatable = request_is_repeatable(conn, error);
	struct address address;

	conn->up.head_sent = 0;
	conn->down.eof = false;
	relay_drop_buf(&conn->proxy->pool, &conn->down);
	free(conn->http.partial);
	conn->http.partial = NULL;
	if (!repeatable || !upstream || !upstream->reused) {
		conn_ask_again(conn, error, repeatable);
		return;
	}
	/* it was closed while idle, before it could see the request */
	address = upstream->address;
	conn_disconnect(conn);
	conn_connect(conn, &address);
}

/* ---- from a server ----------------------------------------------------- */

/* Takes a head. Returns whether another may be behind it. */
static bool take_head(struct conn *conn)
{
	int got = response_take_head(conn);

	switch (got) {
	case RESPONSE_MORE: return false;
	case RESPONSE_INTERIM:
		conn_flush_down(conn);
		return conn->state == CONN_REQUEST;
	case RESPONSE_SWITCH: tunnel_begin(conn); return false;
	case RESPONSE_FINAL: conn->state = CONN_RESPONSE; return false;
	default: failed(conn, got); return false;
	}
}

/* What has been read is given its meaning. */
static void take(struct conn *conn)
{
	switch (conn->state) {
	case CONN_REQUEST:
		while (take_head(conn))
			continue;
		if (conn->state != CONN_RESPONSE)
			break;
		/* fall through */
	case CONN_RESPONSE:
		if (response_take_content(conn))
			conn_abort(conn);
		else
			send_back(conn);
		break;
	default: /* it was not asked */
		relay_drop_buf(&conn->proxy->pool, &conn->down);
		conn_disconnect(conn);
	}
}

/* The server's side is over: error 0 at its end, else negative. */
static void ended(struct conn *conn, int error)
{
	struct http_body *body = &conn->http.response;

	switch (conn->state) {
	case CONN_REQUEST: failed(conn, error ? error : -ECONNRESET); break;
	case CONN_RESPONSE:
		if (!error && http_body_closes(body))
			body->state = HTTP_BODY_END;
		if (body->state != HTTP_BODY_END) {
			conn_abort(conn);
			break;
		}
		conn_disconnect(conn);
		send_back(conn);
		break;
	default: /* a kept connection */
		conn_disconnect(conn);
		conn->down.eof = false;
	}
}

static void readable(struct conn *conn)
{
	struct upstream *upstream = conn->upstream;
	ssize_t n;
	int i;

	for (i = 0; i < READS; i++) {
		if (!relay_has_room(&conn->down))
			return;
		n = relay_read(&conn->proxy->pool, &conn->down,
			       upstream->source.fd);
		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			ended(conn, (int)n);
			return;
		}
		take(conn);
		/* after a 101 the rest is not ours to judge */
		if (conn->upstream != upstream || conn->state == CONN_TUNNEL)
			return;
		/* a block not filled: there was no more */
		if (n < RELAY_BLOCK / 2)
			return;
	}
}

static void server_ready(struct loop_source *source, uint32_t events)
{
	struct conn *conn = conn_of_server(source);

	conn->proxy->now = loop_now();
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		readable(conn);
	if (events & EPOLLOUT && conn->state != CONN_DEAD)
		conn_flush_up(conn);
	conn_go_on(conn);
}

/* ---- time -------------------------------------------------------------- */

static void expired(struct conn *conn)
{
	switch (conn->state) {
	case CONN_HEAD:
		if (conn->http.partial)
			answer(conn, 408, "the request took too long", false);
		else
			conn_end(conn);
		break;
	case CONN_REQUEST:
		/* with bytes left to write it is the server that stalls */
		if (conn->http.request.state != HTTP_BODY_END &&
		    !relay_pending(&conn->up)) {
			answer(conn, 408, "the content took too long", false);
			break;
		}
		/* fall through */
	case CONN_CONNECTING: failed(conn, -ETIMEDOUT); break;
	case CONN_LINGER: conn_end(conn); break;
	default: conn_abort(conn);
	}
}

/*
 * Some states have one deadline from their beginning; in these it is the time
 * since something last went on. A response that only waits for its server has
 * none: that is what a stream of events looks like. But where the client has
 * sent so much behind its request that we stopped reading, we could not see
 * that it is gone.
 */
static void progress(struct conn *conn)
{
	const struct proxy_options *options = &conn->proxy->options;
	bool stalls;

	switch (conn->state) {
	case CONN_REQUEST:
		conn_set_deadline(conn, request_is_sent(conn)
						? options->response_timeout_ms
						: options->stall_timeout_ms);
		break;
	case CONN_RESPONSE:
		stalls = relay_pending(&conn->down) || !request_is_sent(conn) ||
			 !relay_has_room(&conn->up);
		conn_set_deadline(conn, stalls ? options->stall_timeout_ms : 0);
		break;
	case CONN_ANSWER:
		conn_set_deadline(conn, options->stall_timeout_ms);
		break;
	default: break;
	}
}

const struct conn_ops exchange_ops = {
	.begin = begin,
	.client_ready = client_ready,
	.server_ready = server_ready,
	.route = route,
	.refuse = refuse,
	.connected = start_sending,
	.failed = failed,
	.expired = expired,
	.progress = progress,
};
