/* proxy/exchange - see proxy/exchange.h */
#include "proxy/exchange.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "proxy/request.h"
#include "proxy/response.h"
#include "proxy/tunnel.h"

enum {
	READS = 4, /* of one server before others get their turn */
	/* for the next request of a client that was not told of the end */
	DRAIN_IDLE_MS = 1000,
};

static void exchange_begin(struct conn *conn);

/* ---- the end of an exchange --------------------------------------------- */

/* Everything is written, and no request may follow. */
static void close_client(struct conn *conn)
{
	bool unread = !request_is_sent(conn) || relay_unjudged(&conn->up);

	conn_disconnect(conn);
	/* closing with bytes unread would send a reset past our answer */
	if (unread || !conn_is_delivered(conn))
		conn_linger(conn);
	else
		conn_end(conn);
}

/* Tells the owner that the request is over: error 0, or what cut it short. */
static void report_done(struct conn *conn, int error)
{
	struct exchange *http = &conn->http;

	if (!http->done)
		return;
	http->done->status = http->status;
	http->done->wait_ms = http->wait_ms;
	http->done->error = error;
	http->done->detail = error ? http->detail : NULL;
	events_push(&conn->proxy->events, conn->proxy, http->done, PROXY_DONE);
	http->done = NULL;
}

static bool may_keep_upstream(const struct conn *conn)
{
	return conn->upstream && conn->http.keep_upstream && !conn->detach &&
	       !conn->down.eof && !relay_unjudged(&conn->down) &&
	       request_is_sent(conn);
}

static void exchange_finish(struct conn *conn)
{
	struct relay_pool *pool = &conn->proxy->pool;
	bool ours = conn->state == CONN_ANSWER;

	assert(!relay_pending(&conn->down));
	report_done(conn, 0);
	if (!ours && may_keep_upstream(conn))
		conn->upstream->reused = true;
	else if (!ours)
		conn_disconnect(conn);
	relay_drop_head(&conn->up);
	relay_drop_head(&conn->down);
	relay_drop_buf(pool, &conn->down);
	conn->down.eof = false;
	if (conn->http.keep_client) {
		assert(request_is_sent(conn));
		conn_move(conn, CONN_HEAD);
		exchange_begin(conn);
	} else {
		close_client(conn);
	}
}

/* Writes to the client. What is complete then gets its end. */
static void send_back(struct conn *conn)
{
	bool complete;

	conn_flush_down(conn);
	complete = conn->state == CONN_ANSWER ||
		   (conn->state == CONN_RESPONSE &&
		    conn->http.response.state == HTTP_BODY_END);
	if (complete && !relay_pending(&conn->down))
		exchange_finish(conn);
}

/* Answers with a status and a line of our own instead of a response. */
static void exchange_answer(struct conn *conn, int status, const char *text,
			    bool keep_client)
{
	struct exchange *http = &conn->http;

	/* a connection that was kept from earlier is not concerned */
	if (conn->state != CONN_HEAD && conn->state != CONN_ASKING)
		conn_disconnect(conn);
	request_drop(conn);
	http->keep_client =
		http->keep_client && keep_client && !conn->proxy->draining;
	if (response_answer(conn, status, text)) {
		conn_abort(conn);
		return;
	}
	free(http->partial);
	http->partial = NULL;
	conn_move(conn, CONN_ANSWER);
	conn_client_moved(conn);
	send_back(conn);
}

/* ---- failures of the server --------------------------------------------- */

/* Asks the owner again; without memory for that the client is told. */
static void ask_again(struct conn *conn, int error, bool repeatable)
{
	if (conn_ask_again(conn, error, repeatable))
		exchange_answer(conn, 503, "out of memory", false);
}

/* The server failed before its response began. */
static void exchange_failed(struct conn *conn, int error)
{
	const struct upstream *upstream = conn->upstream;
	bool repeatable = request_is_repeatable(conn, error);
	struct address address;

	conn->up.head_sent = 0;
	conn->down.eof = false;
	relay_drop_buf(&conn->proxy->pool, &conn->down);
	free(conn->http.partial);
	conn->http.partial = NULL;
	conn->http.waits = false;
	if (!repeatable || !upstream || !upstream->reused) {
		ask_again(conn, error, repeatable);
		return;
	}
	/* it was closed while idle, before it could see the request */
	assert(conn->state == CONN_REQUEST);
	address = upstream->address;
	conn_disconnect(conn);
	conn_connect(conn, &address);
}

/* The response ends before its time, or is malformed. */
static void response_failed(struct conn *conn, int error)
{
	assert(conn->state == CONN_RESPONSE);
	if (response_take_back(conn)) {
		ask_again(conn, error, false);
		return;
	}
	report_done(conn, error);
	conn_abort(conn);
}

/* ---- from the client ---------------------------------------------------- */

static void read_head(struct conn *conn)
{
	struct proxy_event *event = NULL;
	struct refusal refusal;

	switch (request_read(conn, &event, &refusal)) {
	case HTTP_MORE: break;
	case HTTP_DONE: conn_ask(conn, event, PROXY_REQUEST); break;
	case HTTP_BAD:
		conn->http.to_head = request_is_to_head(conn);
		exchange_answer(conn, refusal.status, refusal.text, false);
		break;
	}
}

/* Waits for the next request, of which some may be there. */
static void exchange_begin(struct conn *conn)
{
	struct exchange *http = &conn->http;

	assert(conn->state == CONN_HEAD && !http->done && !http->partial);
	free(http->set_cookie);
	memset(http, 0, sizeof *http);
	conn_set_timeout(conn, conn->proxy->options.idle_timeout_ms);
	relay_compact(&conn->proxy->pool, &conn->up);
	if (conn->up.end)
		read_head(conn);
	else if (conn->proxy->draining)
		exchange_drain(conn);
}

void exchange_drain(struct conn *conn)
{
	int64_t last_ms = conn->proxy->now + DRAIN_IDLE_MS;

	if (conn->state != CONN_HEAD || conn->http.partial)
		return;
	if (!conn->deadline_ms || conn->deadline_ms > last_ms)
		conn->deadline_ms = last_ms;
}

/* Sends on what has come. */
static void send_on(struct conn *conn)
{
	struct refusal refusal;

	if (request_take_content(conn, &refusal) != HTTP_BAD)
		conn_flush_up(conn);
	else if (conn->state == CONN_RESPONSE)
		conn_abort(conn);
	else
		exchange_answer(conn, refusal.status, refusal.text, false);
}

static void client_readable(struct conn *conn)
{
	ssize_t n;

	if (!relay_has_room(&conn->up))
		return;
	n = relay_read(&conn->proxy->pool, &conn->up, conn->client.fd);
	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		conn_end(conn);
		return;
	}
	conn->nreceived += (uint64_t)n;
	conn_client_moved(conn);
	switch (conn->state) {
	case CONN_HEAD: read_head(conn); break;
	case CONN_CONNECTING:
	case CONN_REQUEST:
	case CONN_RESPONSE: send_on(conn); break;
	default: break; /* it waits in the buffer */
	}
}

/* ---- to a server -------------------------------------------------------- */

static void start_sending(struct conn *conn)
{
	assert(conn->upstream && conn->upstream->connected);
	conn_move(conn, CONN_REQUEST);
	conn->http.waits = false;
	conn_client_moved(conn);
	conn_server_moved(conn);
	send_on(conn);
}

/*
 * Whether the server has closed the kept connection, as far as one can know.
 * Worth a system call only before what cannot be sent twice.
 */
static bool is_stale(const struct conn *conn)
{
	char c;

	if (conn->http.idempotent)
		return false;
	return recv(conn->upstream->source.fd, &c, 1, MSG_PEEK) >= 0 ||
	       errno != EAGAIN;
}

static bool leads_to(const struct conn *conn, const struct address *address)
{
	const struct upstream *kept = conn->upstream;

	return kept && kept->address.len == address->len &&
	       !memcmp(&kept->address.any, &address->any, address->len) &&
	       !is_stale(conn);
}

static int exchange_route(struct conn *conn, const struct address *address,
			  const char *set_cookie)
{
	int err = set_cookie ? response_set_cookie(conn, set_cookie) : 0;

	if (err)
		return err;
	conn->http.routed_ms = conn->proxy->now;
	if (conn->up.start == conn->up.end)
		relay_drop_buf(&conn->proxy->pool, &conn->up);
	if (leads_to(conn, address)) {
		start_sending(conn);
		return 0;
	}
	conn_disconnect(conn);
	conn_connect(conn, address);
	return 0;
}

static int exchange_refuse(struct conn *conn, int status, const char *text)
{
	if (status < 400 || status > 599)
		return -EINVAL;
	exchange_answer(conn, status, text, true);
	return 0;
}

/* ---- from a server ------------------------------------------------------ */

/* Takes a head. Returns whether another may be behind it. */
static bool take_head(struct conn *conn)
{
	int got = response_take_head(conn);

	switch (got) {
	case RESPONSE_MORE:
	case RESPONSE_FULL: return false;
	case RESPONSE_INTERIM:
		conn_flush_down(conn);
		return conn->state == CONN_REQUEST;
	case RESPONSE_SWITCH: tunnel_begin(conn); return false;
	case RESPONSE_FINAL:
		conn_move(conn, CONN_RESPONSE);
		conn_client_moved(conn);
		return false;
	default: exchange_failed(conn, got); return false;
	}
}

/* Gives meaning to what was read. */
static void take_response(struct conn *conn)
{
	int err;

	switch (conn->state) {
	case CONN_REQUEST:
		while (take_head(conn))
			continue;
		if (conn->state != CONN_RESPONSE)
			break;
		/* fall through */
	case CONN_RESPONSE:
		err = response_take_content(conn);
		if (err)
			response_failed(conn, err);
		else
			send_back(conn);
		break;
	default: /* nothing was asked of a kept connection */
		relay_drop_buf(&conn->proxy->pool, &conn->down);
		conn_disconnect(conn);
	}
}

/* The server's side is over: error 0 at its end, else negative. */
static void server_ended(struct conn *conn, int error)
{
	struct http_body *body = &conn->http.response;

	switch (conn->state) {
	case CONN_REQUEST:
		exchange_failed(conn, error ? error : -ECONNRESET);
		break;
	case CONN_RESPONSE:
		if (!error && http_body_closes(body))
			body->state = HTTP_BODY_END;
		if (body->state != HTTP_BODY_END) {
			response_failed(conn, error ? error : -ECONNRESET);
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

static void server_readable(struct conn *conn)
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
			server_ended(conn, (int)n);
			return;
		}
		conn_server_moved(conn);
		if (conn->state == CONN_REQUEST)
			conn->http.answered = true;
		take_response(conn);
		/* after a 101 the rest is not ours to judge */
		if (conn->upstream != upstream || conn->state == CONN_TUNNEL)
			return;
		/* a block that was not filled: there was no more */
		if (n < RELAY_BLOCK / 2)
			return;
	}
}

/* ---- handlers ----------------------------------------------------------- */

static void exchange_client_ready(struct loop_source *source, uint32_t events)
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
	/* heads that waited for room */
	if (conn->state == CONN_REQUEST && relay_unjudged(&conn->down))
		take_response(conn);
	conn_update(conn);
}

static void exchange_server_ready(struct loop_source *source, uint32_t events)
{
	struct conn *conn = conn_of_server(source);

	conn->proxy->now = loop_now();
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		server_readable(conn);
	if (events & EPOLLOUT && conn->state != CONN_DEAD)
		conn_flush_up(conn);
	conn_update(conn);
}

/* ---- time --------------------------------------------------------------- */

/* The content of the request was not sent in time. */
static void request_expired(struct conn *conn)
{
	/* with bytes left to write it is the server that stalls */
	if (!conn->http.waits && !relay_pending(&conn->up))
		exchange_answer(conn, 408, "the content took too long", false);
	else
		exchange_failed(conn, -ETIMEDOUT);
}

static void exchange_expired(struct conn *conn)
{
	bool stalled = conn->state == CONN_RESPONSE ||
		       conn->state == CONN_ANSWER ||
		       (conn->state == CONN_REQUEST && !conn->http.waits);

	if (stalled && conn_was_acknowledged(conn))
		return;
	switch (conn->state) {
	case CONN_HEAD:
		if (conn->http.partial) {
			conn->http.to_head = request_is_to_head(conn);
			exchange_answer(conn, 408, "the request took too long",
					false);
		} else {
			close_client(conn);
		}
		break;
	case CONN_REQUEST: request_expired(conn); break;
	case CONN_CONNECTING: exchange_failed(conn, -ETIMEDOUT); break;
	default: conn_abort(conn);
	}
}

/*
 * While the request is sent, the client owes its content, or the server has to
 * take it. Once it was sent, response_timeout runs to the final head, whatever
 * else is sent or comes meanwhile.
 */
static void set_request_deadline(struct conn *conn)
{
	struct exchange *http = &conn->http;

	if (http->waits)
		return;
	if (request_is_sent(conn)) {
		http->waits = true;
		conn_set_timeout(conn,
				 conn->proxy->options.response_timeout_ms);
	} else {
		conn_set_stall(conn, !relay_pending(&conn->up),
			       relay_pending(&conn->up));
	}
}

/*
 * A response that only waits for its server has no deadline: that is what a
 * stream of events looks like. The client owes the taking of what is there,
 * and the rest of its content; and where it has sent so much behind its
 * request that reading had to stop, it could be gone without our seeing it.
 */
static void set_response_deadline(struct conn *conn)
{
	bool up = relay_pending(&conn->up);
	bool content = conn->http.request.state != HTTP_BODY_END && !up;

	conn_set_stall(conn,
		       relay_pending(&conn->down) || content ||
			       !relay_has_room(&conn->up),
		       up);
}

static void exchange_set_deadline(struct conn *conn)
{
	switch (conn->state) {
	case CONN_REQUEST: set_request_deadline(conn); break;
	case CONN_RESPONSE: set_response_deadline(conn); break;
	case CONN_ANSWER: conn_set_stall(conn, true, false); break;
	default: break;
	}
}

const struct conn_ops exchange_ops = {
	.begin = exchange_begin,
	.client_ready = exchange_client_ready,
	.server_ready = exchange_server_ready,
	.route = exchange_route,
	.refuse = exchange_refuse,
	.connected = start_sending,
	.failed = exchange_failed,
	.expired = exchange_expired,
	.set_deadline = exchange_set_deadline,
};
