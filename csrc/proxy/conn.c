/* proxy/conn - see proxy/conn.h */
#include "proxy/conn.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	/* for a client to read our last answer before input that nobody will
	 * read makes the kernel reset the connection */
	LINGER_MS = 2000,
};

/* ---- states ------------------------------------------------------------- */

#define AFTER(state) (1u << CONN_##state)

/* Which states may follow each; DEAD may follow any. */
static const unsigned followers[CONN_NSTATES] = {
	[CONN_HEAD] = AFTER(ASKING) | AFTER(ANSWER) | AFTER(LINGER),
	[CONN_ASKING] = AFTER(CONNECTING) | AFTER(REQUEST) | AFTER(ANSWER),
	[CONN_CONNECTING] =
		AFTER(REQUEST) | AFTER(TUNNEL) | AFTER(ASKING) | AFTER(ANSWER),
	[CONN_REQUEST] = AFTER(RESPONSE) | AFTER(TUNNEL) | AFTER(ASKING) |
			 AFTER(CONNECTING) | AFTER(ANSWER),
	[CONN_RESPONSE] =
		AFTER(HEAD) | AFTER(LINGER) | AFTER(ASKING) | AFTER(ANSWER),
	[CONN_ANSWER] = AFTER(HEAD) | AFTER(LINGER),
	[CONN_TUNNEL] = AFTER(LINGER),
};

void conn_move(struct conn *conn, enum conn_state state)
{
	struct proxy *proxy = conn->proxy;

	assert(conn->state != CONN_DEAD);
	assert(state == CONN_DEAD || followers[conn->state] & 1u << state);
	proxy->nwaiting += state == CONN_ASKING;
	proxy->nwaiting -= conn->state == CONN_ASKING;
	assert(proxy->nwaiting >= 0 && proxy->nwaiting <= proxy->nconns);
	conn->state = state;
}

/* What holds between any two handlers. */
static void check_conn(const struct conn *conn)
{
	const struct proxy *proxy = conn->proxy;

	assert(conn->state != CONN_DEAD);
	assert(table_find(&proxy->conns, conn->id) == conn);
	assert(conn->client.fd >= 0);
	assert(!conn->upstream || conn->upstream->owner == conn);
	assert(conn->closed);
	assert(!conn->asks || conn->state == CONN_ASKING);
	assert(conn->state != CONN_TUNNEL || conn->upstream);
	assert(conn->state != CONN_CONNECTING ||
	       (conn->upstream && !conn->upstream->connected));
	assert(!conn->http.partial || conn->state == CONN_HEAD ||
	       conn->state == CONN_REQUEST);
	assert(!conn->deadline_ms || conn->state != CONN_ASKING);
	assert(conn->ntaken <= conn->nsent);
	assert(proxy->upstreams.nopen <= proxy->nconns);
}

/* ---- beginning ---------------------------------------------------------- */

int conn_new(struct proxy *proxy, const struct conn_ops *ops, int fd,
	     struct address *peer)
{
	struct conn *conn = calloc(1, sizeof *conn);
	int err = -ENOMEM;

	if (!conn)
		goto fail;
	conn->proxy = proxy;
	conn->ops = ops;
	address_unmap(peer);
	address_text(peer, conn->peer, &conn->port);
	conn->id = table_add(&proxy->conns, conn);
	if (conn->id < 0)
		goto fail;
	conn->closed = event_new(conn->id);
	if (!conn->closed)
		goto fail_id;
	err = loop_add(proxy->loop, &conn->client, fd, EPOLLIN,
		       ops->client_ready);
	if (err)
		goto fail_id;
	proxy->nsources++;
	proxy->nconns++;
	ops->begin(conn);
	return 0;
fail_id:
	proxy_event_free(conn->closed);
	table_remove(&proxy->conns, conn->id);
fail:
	free(conn);
	close(fd);
	return err;
}

/* ---- asking ------------------------------------------------------------- */

void conn_ask(struct conn *conn, struct proxy_event *event,
	      enum proxy_event_kind kind)
{
	assert(!conn->asks);
	conn_move(conn, CONN_ASKING);
	conn->deadline_ms = 0;
	conn->repeatable = true;
	conn->asks = event;
	events_push(&conn->proxy->events, conn->proxy, event, kind);
}

int conn_ask_again(struct conn *conn, int error, bool repeatable)
{
	struct proxy_event *event = event_new(conn->id);

	assert(error < 0);
	if (!event)
		return -ENOMEM;
	conn_disconnect(conn);
	conn->down.eof = false;
	event->error = error;
	event->detail = conn->http.detail;
	event->repeatable = repeatable;
	conn_ask(conn, event, PROXY_FAILED);
	conn->repeatable = repeatable;
	return 0;
}

/* ---- the server's end --------------------------------------------------- */

static void conn_connected(struct conn *conn)
{
	assert(conn->upstream->connected);
	conn->upstream->source.ready = conn->ops->server_ready;
	conn->ops->connected(conn);
}

static void connecting_ready(struct loop_source *source, uint32_t events)
{
	struct conn *conn = conn_of_server(source);
	int err;

	(void)events;
	assert(conn->state == CONN_CONNECTING);
	conn->proxy->now = loop_now();
	err = upstream_result(conn->upstream);
	if (err)
		conn->ops->failed(conn, err);
	else
		conn_connected(conn);
	conn_update(conn);
}

void conn_connect(struct conn *conn, const struct address *address)
{
	struct proxy *proxy = conn->proxy;
	int got;

	assert(!conn->upstream);
	conn_move(conn, CONN_CONNECTING);
	conn_set_timeout(conn, proxy->options.connect_timeout_ms);
	got = upstream_open(&proxy->upstreams, address, connecting_ready,
			    &conn->upstream);
	if (got < 0) {
		conn->ops->failed(conn, got);
		return;
	}
	proxy->nsources++;
	conn->upstream->owner = conn;
	if (got)
		conn_connected(conn);
}

void conn_disconnect(struct conn *conn)
{
	struct upstream *upstream = conn->upstream;

	conn->detach = false;
	if (!upstream)
		return;
	conn->upstream = NULL;
	upstream_close(upstream);
}

/* ---- what is watched for ------------------------------------------------ */

/*
 * HUP and ERR are always reported. Where neither reading nor writing is wanted
 * that would be again and again, so then only once, when they come.
 */
static uint32_t settled_mask(uint32_t events)
{
	return events & (EPOLLIN | EPOLLOUT) ? events : events | EPOLLET;
}

static uint32_t client_mask(const struct conn *conn)
{
	bool framed = conn->proxy->options.mode == PROXY_HTTP &&
		      conn->state != CONN_TUNNEL && conn->state != CONN_LINGER;
	uint32_t events = 0;

	if (relay_has_room(&conn->up))
		events |= EPOLLIN;
	else if (framed)
		events |= EPOLLRDHUP;
	if (relay_pending(&conn->down))
		events |= EPOLLOUT;
	return settled_mask(events);
}

/* Whether the server may be written to. */
static bool sends_up(const struct conn *conn)
{
	return conn->state == CONN_REQUEST || conn->state == CONN_RESPONSE ||
	       conn->state == CONN_TUNNEL;
}

static uint32_t upstream_mask(const struct conn *conn)
{
	uint32_t events = 0;

	if (!conn->upstream->connected)
		return EPOLLOUT;
	if (conn->state != CONN_LINGER && relay_has_room(&conn->down))
		events |= EPOLLIN;
	if (sends_up(conn) && relay_pending(&conn->up) && !conn->upstream->deaf)
		events |= EPOLLOUT;
	return settled_mask(events);
}

void conn_update(struct conn *conn)
{
	if (conn->state == CONN_DEAD)
		return;
	if (conn->state != CONN_LINGER)
		conn->ops->set_deadline(conn);
	check_conn(conn);
	if (loop_change(&conn->client, client_mask(conn)) ||
	    (conn->upstream &&
	     loop_change(&conn->upstream->source, upstream_mask(conn))))
		conn_abort(conn);
}

/* ---- time --------------------------------------------------------------- */

void conn_set_timeout(struct conn *conn, int timeout_ms)
{
	conn->deadline_ms = timeout_ms ? conn->proxy->now + timeout_ms : 0;
}

void conn_client_moved(struct conn *conn)
{
	conn->client_ms = conn->proxy->now;
}

void conn_server_moved(struct conn *conn)
{
	conn->server_ms = conn->proxy->now;
}

void conn_set_stall(struct conn *conn, bool client_owes, bool server_owes)
{
	int timeout_ms = conn->proxy->options.stall_timeout_ms;
	int64_t since = INT64_MAX;

	if (!client_owes)
		conn_client_moved(conn);
	else if (conn->client_ms < since)
		since = conn->client_ms;
	if (!server_owes)
		conn_server_moved(conn);
	else if (conn->server_ms < since)
		since = conn->server_ms;
	conn->deadline_ms = 0;
	if (timeout_ms && since != INT64_MAX)
		conn->deadline_ms = since + timeout_ms;
	/* one that has passed is noticed at the next sweep */
	if (conn->deadline_ms && conn->deadline_ms < conn->proxy->now)
		conn->deadline_ms = conn->proxy->now;
}

/* Bytes that were written to a socket and that its peer did not acknowledge. */
static uint64_t unacknowledged(int fd)
{
	int n = 0;

	return ioctl(fd, SIOCOUTQ, &n) < 0 || n < 0 ? 0 : (uint64_t)n;
}

/* Whether more than *ntaken of the bytes sent are acknowledged by now. */
static bool was_taken(int fd, uint64_t nsent, uint64_t *ntaken)
{
	uint64_t left = unacknowledged(fd);
	uint64_t taken = left < nsent ? nsent - left : 0;

	if (taken <= *ntaken)
		return false;
	*ntaken = taken;
	return true;
}

bool conn_was_acknowledged(struct conn *conn)
{
	struct upstream *upstream = conn->upstream;
	bool client = was_taken(conn->client.fd, conn->nsent, &conn->ntaken);
	bool server = upstream && was_taken(upstream->source.fd,
					    upstream->nsent, &upstream->ntaken);

	if (client)
		conn_client_moved(conn);
	if (server)
		conn_server_moved(conn);
	return client || server;
}

bool conn_is_delivered(const struct conn *conn)
{
	return !unacknowledged(conn->client.fd) &&
	       (!conn->upstream || !unacknowledged(conn->upstream->source.fd));
}

/* ---- writing ------------------------------------------------------------ */

void conn_flush_up(struct conn *conn)
{
	struct upstream *upstream = conn->upstream;
	size_t head_left = relay_head_left(&conn->up);
	ssize_t n;

	if (!upstream || upstream->deaf || !sends_up(conn))
		return;
	if (relay_pending(&conn->up)) {
		n = relay_write(&conn->proxy->pool, &conn->up,
				upstream->source.fd);
		if (n > 0) {
			upstream->nsent += (uint64_t)n;
			conn_server_moved(conn);
		}
		if (n > (ssize_t)head_left)
			conn->http.content_sent = true;
		/* it may have answered before it closed: reading will tell */
		if (n < 0 && n != -EAGAIN)
			upstream->deaf = true;
	}
	if (!upstream->deaf)
		relay_pass_end(&conn->up, upstream->source.fd);
	else if (conn->state == CONN_TUNNEL)
		relay_deafen(&conn->proxy->pool, &conn->up);
}

/* Returns the bytes written, or a negated errno. */
static ssize_t write_down(struct conn *conn)
{
	ssize_t n =
		relay_write(&conn->proxy->pool, &conn->down, conn->client.fd);

	if (n > 0) {
		conn->nsent += (uint64_t)n;
		conn_client_moved(conn);
	}
	/* a stream that goes on for hours need not keep it */
	if (!relay_head_left(&conn->down))
		relay_drop_head(&conn->down);
	return n;
}

void conn_flush_down(struct conn *conn)
{
	bool in_tunnel = conn->state == CONN_TUNNEL;
	ssize_t n = 0;

	if (relay_pending(&conn->down))
		n = write_down(conn);
	if (n >= 0 || n == -EAGAIN) {
		if (in_tunnel)
			relay_pass_end(&conn->down, conn->client.fd);
		return;
	}
	/* a client that had ended its side was reset: what it sent still counts */
	if (in_tunnel && conn->up.eof)
		relay_deafen(&conn->proxy->pool, &conn->down);
	else
		conn_abort(conn);
}

/* ---- the end ------------------------------------------------------------ */

static void client_released(struct loop_source *source)
{
	struct conn *conn = container_of(source, struct conn, client);
	struct proxy *proxy = conn->proxy;

	assert(conn->state == CONN_DEAD && !conn->upstream && !conn->asks);
	table_remove(&proxy->conns, conn->id);
	free(conn);
	proxy->source_released(proxy);
}

/* Frees everything that it holds. */
static void free_contents(struct conn *conn)
{
	struct relay_pool *pool = &conn->proxy->pool;

	relay_reset(pool, &conn->up);
	relay_reset(pool, &conn->down);
	proxy_event_free(conn->http.done);
	proxy_event_free(conn->closed);
	free(conn->http.partial);
	free(conn->http.set_cookie);
	conn->closed = NULL;
	memset(&conn->http, 0, sizeof conn->http);
}

/* Sends PROXY_CLOSED to an owner who knows of the connection. */
static void announce_end(struct conn *conn)
{
	struct proxy *proxy = conn->proxy;

	if (conn->asks)
		events_withdraw(&proxy->events, conn->asks);
	conn->asks = NULL;
	if (!conn->announced || proxy->freed)
		return;
	conn->closed->nreceived = conn->nreceived;
	conn->closed->nsent = conn->nsent;
	events_push(&proxy->events, proxy, conn->closed, PROXY_CLOSED);
	conn->closed = NULL;
}

void conn_end(struct conn *conn)
{
	struct proxy *proxy = conn->proxy;

	if (conn->state == CONN_DEAD)
		return;
	conn_move(conn, CONN_DEAD);
	conn->deadline_ms = 0;
	conn_disconnect(conn);
	announce_end(conn);
	free_contents(conn);
	loop_close(&conn->client, client_released);
	assert(proxy->nconns > 0);
	proxy->nconns--;
	listener_resume(&proxy->listener);
}

static void reset_on_close(int fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void conn_abort(struct conn *conn)
{
	if (conn->state == CONN_DEAD)
		return;
	reset_on_close(conn->client.fd);
	if (conn->upstream)
		reset_on_close(conn->upstream->source.fd);
	conn_end(conn);
}

void conn_forget(struct conn *conn)
{
	free_contents(conn);
	free(conn);
}

/* ---- lingering ---------------------------------------------------------- */

/* Reads and drops what still comes. Its end is the end, once all was taken. */
static void linger_ready(struct loop_source *source, uint32_t events)
{
	struct conn *conn = container_of(source, struct conn, client);
	struct relay_pool *pool = &conn->proxy->pool;
	ssize_t n = -EAGAIN;

	assert(conn->state == CONN_LINGER);
	conn->proxy->now = loop_now();
	if (events & EPOLLERR) {
		conn_end(conn);
		return;
	}
	if (!conn->up.eof)
		n = relay_read(pool, &conn->up, source->fd);
	relay_drop_buf(pool, &conn->up);
	if (n > 0)
		conn->nreceived += (uint64_t)n;
	if ((n < 0 && n != -EAGAIN) ||
	    (conn->up.eof && conn_is_delivered(conn)))
		conn_end(conn);
	conn_update(conn);
}

/* The server's socket waits only for the last bytes to be acknowledged. */
static void linger_server_ready(struct loop_source *source, uint32_t events)
{
	struct conn *conn = conn_of_server(source);

	assert(conn->state == CONN_LINGER);
	conn->proxy->now = loop_now();
	if (events & EPOLLERR)
		conn_disconnect(conn);
	conn_update(conn);
}

void conn_linger(struct conn *conn)
{
	assert(!relay_pending(&conn->down));
	conn_move(conn, CONN_LINGER);
	shutdown(conn->client.fd, SHUT_WR);
	relay_drop_head(&conn->up);
	relay_drop_buf(&conn->proxy->pool, &conn->up);
	if (conn->upstream)
		conn->upstream->source.ready = linger_server_ready;
	conn->client.ready = linger_ready;
	conn_client_moved(conn);
	conn_server_moved(conn);
	conn_expire_linger(conn);
}

void conn_expire_linger(struct conn *conn)
{
	int stall_ms = conn->proxy->options.stall_timeout_ms;
	int64_t now = conn->proxy->now;
	bool moved, over;

	assert(conn->state == CONN_LINGER);
	moved = conn_was_acknowledged(conn);
	if (conn_is_delivered(conn))
		over = conn->up.eof || now - conn->client_ms >= LINGER_MS;
	else
		over = !moved && stall_ms &&
		       now - conn->client_ms >= stall_ms &&
		       now - conn->server_ms >= stall_ms;
	if (over)
		conn_end(conn);
	else
		conn_set_timeout(conn, options_sweep_ms(&conn->proxy->options));
}
