/* proxy/tunnel - see proxy/tunnel.h */
#include "proxy/tunnel.h"

#include <errno.h>
#include <sys/epoll.h>

enum {
	READS = 4, /* of one socket before others get their turn */
};

/* ---- moving bytes ------------------------------------------------------ */

static void flush(struct conn *conn, struct relay_pipe *pipe)
{
	if (pipe == &conn->up)
		conn_flush_up(conn);
	else
		conn_flush_down(conn);
}

/*
 * Reads what there is and writes it on. An error of the source is an error of
 * the connection. Returns the number of bytes read.
 */
static uint64_t move(struct conn *conn, struct relay_pipe *pipe, int fd)
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
		pipe->ready = pipe->end - pipe->start;
		flush(conn, pipe);
		/* a block not filled: there was no more */
		if (pipe->eof || n < RELAY_BLOCK / 2)
			break;
	}
	return sum;
}

/* What follows after a handler has done its part. */
static void end_turn(struct conn *conn)
{
	if (conn->up.shut && conn->down.shut)
		conn_end(conn);
	conn_go_on(conn);
}

static void client_ready(struct loop_source *source, uint32_t events)
{
	struct conn *conn = container_of(source, struct conn, client);

	conn->proxy->now = loop_now();
	if (events & EPOLLERR) {
		conn_abort(conn);
		return;
	}
	if (events & (EPOLLIN | EPOLLHUP))
		conn->nreceived += move(conn, &conn->up, source->fd);
	if (conn->state != CONN_DEAD && events & (EPOLLOUT | EPOLLHUP))
		conn_flush_down(conn);
	end_turn(conn);
}

static void server_ready(struct loop_source *source, uint32_t events)
{
	struct conn *conn = conn_of_server(source);

	conn->proxy->now = loop_now();
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		move(conn, &conn->down, source->fd);
	if (conn->state != CONN_DEAD && events & (EPOLLOUT | EPOLLHUP))
		conn_flush_up(conn);
	end_turn(conn);
}

/* ---- states ------------------------------------------------------------ */

static void begin(struct conn *conn)
{
	conn_ask(conn, PROXY_CONN);
}

static int route(struct conn *conn, const struct address *address,
		 const char *set_cookie)
{
	(void)set_cookie;
	conn_decided(conn);
	conn_connect(conn, address);
	return 0;
}

static int refuse(struct conn *conn, int status, const char *text)
{
	(void)status;
	(void)text;
	conn_abort(conn);
	return 0;
}

void tunnel_begin(struct conn *conn)
{
	conn->state = CONN_TUNNEL;
	conn->ops = &tunnel_ops;
	conn->client.ready = client_ready;
	conn->upstream->source.ready = server_ready;
	conn->up.ready = conn->up.end - conn->up.start;
	conn->down.ready = conn->down.end - conn->down.start;
	conn_flush_up(conn);
	if (conn->state != CONN_DEAD)
		conn_flush_down(conn);
}

static void failed(struct conn *conn, int error)
{
	conn_ask_again(conn, error, true);
}

static void expired(struct conn *conn)
{
	if (conn->state == CONN_TUNNEL)
		conn_abort(conn);
	else
		failed(conn, -ETIMEDOUT);
}

static void progress(struct conn *conn)
{
	const struct proxy_options *options = &conn->proxy->options;
	bool pending = relay_pending(&conn->up) || relay_pending(&conn->down) ||
		       conn->down.shut;

	if (conn->state == CONN_TUNNEL)
		conn_set_deadline(conn, pending ? options->stall_timeout_ms
						: options->tunnel_timeout_ms);
}

const struct conn_ops tunnel_ops = {
	.begin = begin,
	.client_ready = client_ready,
	.server_ready = server_ready,
	.route = route,
	.refuse = refuse,
	.connected = tunnel_begin,
	.failed = failed,
	.expired = expired,
	.progress = progress,
};
