/* proxy/tunnel - see proxy/tunnel.h */
#include "proxy/tunnel.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

enum {
	READS = 4, /* of one socket before others get their turn */
};

/* ---- moving bytes ------------------------------------------------------- */

static void tunnel_flush(struct conn *conn, struct relay_pipe *pipe)
{
	if (pipe->deaf)
		relay_drop_buf(&conn->proxy->pool, pipe);
	pipe->ready = pipe->end - pipe->start;
	if (pipe == &conn->up)
		conn_flush_up(conn);
	else
		conn_flush_down(conn);
}

/*
 * Reads what there is and writes it on. An error of the source is an error of
 * the connection. Returns the number of bytes read.
 */
static uint64_t tunnel_move(struct conn *conn, struct relay_pipe *pipe, int fd)
{
	uint64_t sum = 0;
	ssize_t n;
	int i;

	for (i = 0; i < READS && conn->state != CONN_DEAD; i++) {
		if (!relay_has_room(pipe))
			break;
		n = relay_read(&conn->proxy->pool, pipe, fd);
		if (n == -EAGAIN)
			break;
		if (n < 0) {
			conn_abort(conn);
			break;
		}
		sum += (uint64_t)n;
		tunnel_flush(conn, pipe);
		/* a block that was not filled: there was no more */
		if (n < RELAY_BLOCK / 2)
			break;
	}
	return sum;
}

/* What follows after a handler has done its part. */
static void tunnel_end_turn(struct conn *conn)
{
	if (conn->state == CONN_TUNNEL && conn->up.shut && conn->down.shut) {
		if (conn_is_delivered(conn))
			conn_end(conn);
		else
			conn_linger(conn);
	}
	conn_update(conn);
}

static void tunnel_client_ready(struct loop_source *source, uint32_t events)
{
	struct conn *conn = container_of(source, struct conn, client);
	uint64_t n;

	conn->proxy->now = loop_now();
	if (events & EPOLLERR && conn->state != CONN_TUNNEL) {
		conn_abort(conn);
		return;
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		n = tunnel_move(conn, &conn->up, source->fd);
		conn->nreceived += n;
		if (n)
			conn_client_moved(conn);
	}
	if (conn->state == CONN_TUNNEL &&
	    events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		conn_flush_down(conn);
	tunnel_end_turn(conn);
}

static void tunnel_server_ready(struct loop_source *source, uint32_t events)
{
	struct conn *conn = conn_of_server(source);

	conn->proxy->now = loop_now();
	assert(conn->state == CONN_TUNNEL);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) &&
	    tunnel_move(conn, &conn->down, source->fd))
		conn_server_moved(conn);
	if (conn->state == CONN_TUNNEL &&
	    events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		conn_flush_up(conn);
	tunnel_end_turn(conn);
}

/* ---- states ------------------------------------------------------------- */

static void tunnel_accepted(struct conn *conn)
{
	struct proxy_event *event = event_new(conn->id);

	if (!event) {
		conn_abort(conn);
		return;
	}
	memcpy(event->peer, conn->peer, sizeof event->peer);
	event->port = conn->port;
	conn_ask(conn, event, PROXY_CONN);
}

static int tunnel_route(struct conn *conn, const struct address *address,
			const char *set_cookie)
{
	(void)set_cookie;
	conn_connect(conn, address);
	return 0;
}

static int tunnel_refuse(struct conn *conn, int status, const char *text)
{
	(void)status;
	(void)text;
	conn_abort(conn);
	return 0;
}

void tunnel_begin(struct conn *conn)
{
	assert(conn->upstream && conn->upstream->connected);
	conn_move(conn, CONN_TUNNEL);
	conn->ops = &tunnel_ops;
	conn->client.ready = tunnel_client_ready;
	conn->upstream->source.ready = tunnel_server_ready;
	conn_client_moved(conn);
	conn_server_moved(conn);
	tunnel_flush(conn, &conn->up);
	if (conn->state != CONN_DEAD)
		tunnel_flush(conn, &conn->down);
}

static void tunnel_failed(struct conn *conn, int error)
{
	if (conn_ask_again(conn, error, true))
		conn_abort(conn);
}

/*
 * A tunnel in which a peer stalls, or nothing moves. Where the server has ended
 * and the client has got everything, the client loses nothing by the end.
 */
static void tunnel_expired(struct conn *conn)
{
	if (conn->state != CONN_TUNNEL) {
		tunnel_failed(conn, -ETIMEDOUT);
		return;
	}
	if (conn_was_acknowledged(conn))
		return;
	if (conn->down.shut && conn_is_delivered(conn))
		conn_end(conn);
	else
		conn_abort(conn);
}

/* A client whose server has ended owes its own end. */
static void tunnel_set_deadline(struct conn *conn)
{
	const struct proxy_options *options = &conn->proxy->options;
	bool client = relay_pending(&conn->down) || conn->down.shut;
	bool server = relay_pending(&conn->up);

	if (conn->state != CONN_TUNNEL)
		return;
	conn_set_stall(conn, client, server);
	if (!client && !server)
		conn_set_timeout(conn, options->tunnel_timeout_ms);
}

const struct conn_ops tunnel_ops = {
	.begin = tunnel_accepted,
	.client_ready = tunnel_client_ready,
	.server_ready = tunnel_server_ready,
	.route = tunnel_route,
	.refuse = tunnel_refuse,
	.connected = tunnel_begin,
	.failed = tunnel_failed,
	.expired = tunnel_expired,
	.set_deadline = tunnel_set_deadline,
};
