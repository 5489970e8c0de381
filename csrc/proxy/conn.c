/* proxy/conn - see proxy/conn.h */
#include "proxy/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- beginning --------------------------------------------------------- */

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
	err = loop_add(proxy->loop, &conn->client, fd, EPOLLIN,
		       ops->client_ready);
	if (err)
		goto fail;
	conn->id = table_add(&proxy->conns, conn);
	if (conn->id < 0) {
		err = (int)conn->id;
		loop_release(&conn->client);
		goto fail;
	}
	proxy->nsources++;
	proxy->nconns++;
	ops->begin(conn);
	return 0;
fail:
	free(conn);
	close(fd);
	return err;
}

/* ---- asking ------------------------------------------------------------ */

void conn_ask(struct conn *conn, enum proxy_event_kind kind)
{
	conn->state = CONN_ASKING;
	conn->deadline_ms = 0;
	conn->proxy->nwaiting++;
	loop_complete(conn->proxy->loop, &conn->asks, kind);
}

void conn_decided(struct conn *conn)
{
	conn->proxy->nwaiting--;
	loop_uncomplete(conn->proxy->loop, &conn->asks);
}

void conn_ask_again(struct conn *conn, int error, bool repeatable)
{
	conn_disconnect(conn);
	conn->down.eof = false;
	conn->error = error;
	conn->repeatable = repeatable;
	conn_ask(conn, PROXY_FAILED);
}

/* ---- the server's end -------------------------------------------------- */

static void connected(struct conn *conn)
{
	conn->upstream->source.ready = conn->ops->server_ready;
	conn->ops->connected(conn);
}

static void connecting_ready(struct loop_source *source, uint32_t events)
{
	struct conn *conn = conn_of_server(source);
	int err;

	(void)events;
	conn->proxy->now = loop_now();
	err = upstream_finish(conn->upstream);
	if (err)
		conn->ops->failed(conn, err);
	else
		connected(conn);
	conn_go_on(conn);
}

void conn_connect(struct conn *conn, const struct address *address)
{
	struct proxy *proxy = conn->proxy;
	int got;

	conn->state = CONN_CONNECTING;
	conn_set_deadline(conn, proxy->options.connect_timeout_ms);
	got = upstream_open(&proxy->upstreams, address, connecting_ready,
			    &conn->upstream);
	if (got < 0) {
		conn->ops->failed(conn, got);
		return;
	}
	proxy->nsources++;
	conn->upstream->owner = conn;
	if (got)
		connected(conn);
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

static bool takes_from_client(const struct conn *conn)
{
	switch (conn->state) {
	case CONN_HEAD:
	case CONN_LINGER: return true;
	case CONN_ASKING:
	case CONN_CONNECTING:
	case CONN_ANSWER:
		/* events point into the buffer: nothing may move there */
		return relay_has_tail(&conn->up);
	default: return relay_has_room(&conn->up);
	}
}

/*
 * HUP and ERR are always told. Where neither reading nor writing is wanted
 * they would be told for ever, so then only once, when they come.
 */
static uint32_t settled_mask(uint32_t events)
{
	return events & (EPOLLIN | EPOLLOUT) ? events : events | EPOLLET;
}

static uint32_t client_mask(const struct conn *conn)
{
	bool framed = conn->proxy->options.mode == PROXY_HTTP &&
		      conn->state != CONN_TUNNEL;
	uint32_t events = 0;

	if (takes_from_client(conn))
		events |= EPOLLIN;
	else if (framed)
		events |= EPOLLRDHUP;
	if (relay_pending(&conn->down))
		events |= EPOLLOUT;
	return settled_mask(events);
}

/* Whether the server is written to. */
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
	if (relay_has_room(&conn->down))
		events |= EPOLLIN;
	if (sends_up(conn) && relay_pending(&conn->up) && !conn->upstream->deaf)
		events |= EPOLLOUT;
	return settled_mask(events);
}

void conn_set_deadline(struct conn *conn, int timeout_ms)
{
	conn->deadline_ms = timeout_ms ? conn->proxy->now + timeout_ms : 0;
}

void conn_go_on(struct conn *conn)
{
	if (conn->state == CONN_DEAD)
		return;
	conn->ops->progress(conn);
	if (loop_change(&conn->client, client_mask(conn)) ||
	    (conn->upstream &&
	     loop_change(&conn->upstream->source, upstream_mask(conn))))
		conn_abort(conn);
}

/* ---- writing ----------------------------------------------------------- */

void conn_flush_up(struct conn *conn)
{
	struct upstream *upstream = conn->upstream;
	uint32_t head_left = conn->up.head_len - conn->up.head_sent;
	ssize_t n;

	if (!upstream || upstream->deaf || !sends_up(conn))
		return;
	if (relay_pending(&conn->up)) {
		n = relay_write(&conn->proxy->pool, &conn->up,
				upstream->source.fd);
		if (n > (ssize_t)head_left)
			conn->http.content_sent = true;
		/* it may have answered before it closed: reading will tell */
		if (n < 0 && n != -EAGAIN)
			upstream->deaf = true;
	}
	if (upstream->deaf && conn->state == CONN_TUNNEL)
		conn_abort(conn);
	else
		relay_pass_end(&conn->up, upstream->source.fd);
}

void conn_flush_down(struct conn *conn)
{
	ssize_t n;

	if (relay_pending(&conn->down)) {
		n = relay_write(&conn->proxy->pool, &conn->down,
				conn->client.fd);
		if (n > 0)
			conn->nsent += (uint64_t)n;
		if (n < 0 && n != -EAGAIN) {
			conn_abort(conn);
			return;
		}
		/* a stream that goes on for hours need not keep it */
		if (conn->down.head_sent == conn->down.head_len)
			relay_drop_head(&conn->down);
	}
	if (conn->state == CONN_TUNNEL)
		relay_pass_end(&conn->down, conn->client.fd);
}

/* ---- the end ----------------------------------------------------------- */

void conn_settle(struct conn *conn)
{
	if (!conn->settled || !conn->released)
		return;
	table_remove(&conn->proxy->conns, conn->id);
	free(conn);
}

static void client_closed(struct loop_source *source)
{
	struct conn *conn = container_of(source, struct conn, client);
	struct proxy *proxy = conn->proxy;

	conn->released = true;
	conn_settle(conn);
	proxy->lost_source(proxy);
}

/* Frees all that it holds but itself. */
static void free_contents(struct conn *conn)
{
	struct relay_pool *pool = &conn->proxy->pool;

	relay_reset(pool, &conn->up);
	relay_reset(pool, &conn->down);
	free(conn->http.partial);
	free(conn->http.set_cookie);
	memset(&conn->http, 0, sizeof conn->http);
}

void conn_end(struct conn *conn)
{
	struct proxy *proxy = conn->proxy;

	if (conn->state == CONN_DEAD)
		return;
	if (conn->state == CONN_ASKING)
		conn_decided(conn);
	conn->state = CONN_DEAD;
	conn->deadline_ms = 0;
	conn_disconnect(conn);
	free_contents(conn);
	loop_close(&conn->client, client_closed);
	proxy->nconns--;
	if (conn->announced && !proxy->freed)
		loop_complete(proxy->loop, &conn->closed, PROXY_CLOSED);
	else
		conn->settled = true;
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

void conn_drop(struct conn *conn)
{
	struct loop *loop = conn->proxy->loop;

	conn_end(conn);
	loop_uncomplete(loop, &conn->asks);
	loop_uncomplete(loop, &conn->done);
	loop_uncomplete(loop, &conn->closed);
	conn->settled = true;
	conn_settle(conn);
}

void conn_forget(struct conn *conn)
{
	free_contents(conn);
	free(conn);
}
