/* proxy - see proxy/proxy.h, and proxy/conn.h for its files and states */
#include "proxy/proxy.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "proxy/conn.h"
#include "proxy/exchange.h"
#include "proxy/tunnel.h"

/* ---- deadlines --------------------------------------------------------- */

/*
 * One timer for all connections: deadlines change with every byte, and being
 * late by a second hurts none of them.
 */
static void sweep_fired(struct loop_timer *timer);

static void start_sweep(struct proxy *proxy)
{
	loop_timer_start(proxy->loop, &proxy->sweep,
			 options_sweep_ms(&proxy->options), sweep_fired);
}

static void sweep_fired(struct loop_timer *timer)
{
	struct proxy *proxy = container_of(timer, struct proxy, sweep);
	struct conn *conn;
	uint32_t i;

	proxy->now = loop_now();
	for (i = 0; i < proxy->conns.nslots; i++) {
		conn = table_at(&proxy->conns, i);
		if (!conn || !conn->deadline_ms ||
		    conn->deadline_ms > proxy->now)
			continue;
		assert(conn->state != CONN_DEAD && conn->state != CONN_ASKING);
		conn->deadline_ms = 0;
		if (conn->state == CONN_LINGER)
			conn_expire_linger(conn);
		else
			conn->ops->expired(conn);
		conn_update(conn);
	}
	if (proxy->nconns)
		start_sweep(proxy);
}

/* ---- accepting --------------------------------------------------------- */

static bool has_room(const struct listener *listener)
{
	const struct proxy *proxy =
		container_of(listener, struct proxy, listener);

	return proxy->nconns < proxy->options.max_connections;
}

static int accepted(struct listener *listener, int fd, struct address *peer)
{
	struct proxy *proxy = container_of(listener, struct proxy, listener);
	bool http = proxy->options.mode == PROXY_HTTP;
	int err;

	proxy->now = loop_now();
	err = conn_new(proxy, http ? &exchange_ops : &tunnel_ops, fd, peer);
	if (!err && proxy->nconns == 1)
		start_sweep(proxy);
	return err;
}

static void listener_closed(struct listener *listener)
{
	struct proxy *proxy = container_of(listener, struct proxy, listener);

	proxy->source_released(proxy);
}

static const struct listener_ops listener_ops = {
	.has_room = has_room,
	.accepted = accepted,
	.closed = listener_closed,
};

int proxy_listen(struct proxy *proxy, const char *host, int port,
		 struct err *err)
{
	int code;

	if (proxy->forgotten)
		return err_set(err, -ECANCELED, "listen");
	code = listener_open(&proxy->listener, host, port, err);
	if (!code)
		proxy->nsources++;
	return code;
}

int proxy_address(const struct proxy *proxy, char *ip, int *port)
{
	if (proxy->forgotten)
		return -ECANCELED;
	return listener_address(&proxy->listener, ip, port);
}

void proxy_stop_listening(struct proxy *proxy)
{
	if (proxy->forgotten)
		return;
	listener_drain(&proxy->listener);
	listener_close(&proxy->listener);
}

/* ---- beginning and end ------------------------------------------------- */

static void free_proxy(struct proxy *proxy)
{
	assert(!proxy->nsources && !proxy->nconns);
	assert(TAILQ_EMPTY(&proxy->events.list));
	relay_pool_free(&proxy->pool);
	table_free(&proxy->conns);
	free(proxy);
}

/* Frees a proxy that waited for its last socket. */
static void source_released(struct proxy *proxy)
{
	assert(proxy->nsources > 0);
	if (!--proxy->nsources && proxy->freed)
		free_proxy(proxy);
}

static void upstream_released(struct upstreams *all)
{
	source_released(container_of(all, struct proxy, upstreams));
}

int proxy_new(struct loop *loop, const struct proxy_options *options,
	      struct proxy **opened)
{
	struct proxy *proxy;
	int err;

	proxy = calloc(1, sizeof *proxy);
	if (!proxy)
		return -ENOMEM;
	err = options_set(&proxy->options, &proxy->names, options);
	if (err) {
		free(proxy);
		return err;
	}
	proxy->loop = loop;
	proxy->source_released = source_released;
	events_init(&proxy->events, loop);
	upstreams_init(&proxy->upstreams, loop, upstream_released);
	listener_init(&proxy->listener, loop, &listener_ops);
	table_init(&proxy->conns, options->number);
	*opened = proxy;
	return 0;
}

void proxy_forget(struct proxy *proxy)
{
	struct conn *conn;
	uint32_t i;

	for (i = 0; i < proxy->conns.nslots; i++) {
		conn = table_at(&proxy->conns, i);
		if (conn)
			conn_forget(conn);
	}
	events_forget(&proxy->events);
	upstreams_forget(&proxy->upstreams);
	relay_pool_free(&proxy->pool);
	table_free(&proxy->conns);
	proxy->nconns = proxy->nwaiting = proxy->nsources = 0;
	proxy->forgotten = true;
}

void proxy_free(struct proxy *proxy)
{
	struct conn *conn;
	uint32_t i;

	if (!proxy)
		return;
	proxy->freed = true;
	if (!proxy->forgotten) {
		loop_timer_stop(&proxy->sweep);
		listener_close(&proxy->listener);
		for (i = 0; i < proxy->conns.nslots; i++) {
			conn = table_at(&proxy->conns, i);
			if (conn)
				conn_end(conn);
		}
		events_withdraw_all(&proxy->events);
	}
	if (!proxy->nsources)
		free_proxy(proxy);
}

/* ---- commands ---------------------------------------------------------- */

/* Finds the connection of this number that is not over. */
static int find_conn(const struct proxy *proxy, int64_t id, struct conn **found)
{
	struct conn *conn;

	if (proxy->forgotten)
		return -ECANCELED;
	conn = table_find(&proxy->conns, id);
	if (!conn || conn->state == CONN_DEAD)
		return -ENOENT;
	*found = conn;
	return 0;
}

/* Finds a connection that waits for a decision. */
static int find_asking(struct proxy *proxy, int64_t id, struct conn **found)
{
	int err = find_conn(proxy, id, found);

	if (err)
		return err;
	if ((*found)->state != CONN_ASKING)
		return -EINVAL;
	proxy->now = loop_now();
	return 0;
}

int proxy_route(struct proxy *proxy, int64_t id, const char *ip, int port,
		const char *set_cookie)
{
	struct address address;
	struct conn *conn;
	int err = find_asking(proxy, id, &conn);

	/* the start of its content is gone, or it was answered in part */
	if (!err && !conn->repeatable)
		err = -EINVAL;
	if (!err)
		err = address_parse(&address, ip, port);
	if (!err)
		err = conn->ops->route(conn, &address, set_cookie);
	if (!err)
		conn_update(conn);
	return err;
}

int proxy_refuse(struct proxy *proxy, int64_t id, int status, const char *text)
{
	struct conn *conn;
	int err = find_asking(proxy, id, &conn);

	if (!err)
		err = conn->ops->refuse(conn, status, text);
	if (!err)
		conn_update(conn);
	return err;
}

int proxy_close(struct proxy *proxy, int64_t id)
{
	struct conn *conn;
	int err = find_conn(proxy, id, &conn);

	if (!err)
		conn_end(conn);
	return err;
}

int proxy_detach(struct proxy *proxy, int64_t id)
{
	struct conn *conn;
	int err = find_conn(proxy, id, &conn);

	if (err)
		return err;
	switch (conn->state) {
	case CONN_HEAD:
	case CONN_ASKING:
	case CONN_ANSWER: conn_disconnect(conn); break;
	default: conn->detach = conn->upstream && conn->state != CONN_TUNNEL;
	}
	return 0;
}

void proxy_drain(struct proxy *proxy)
{
	struct conn *conn;
	uint32_t i;

	if (proxy->forgotten)
		return;
	proxy->draining = true;
	proxy->now = loop_now();
	for (i = 0; i < proxy->conns.nslots; i++) {
		conn = table_at(&proxy->conns, i);
		if (conn && conn->ops == &exchange_ops)
			exchange_drain(conn);
	}
}

int proxy_configure(struct proxy *proxy, const struct proxy_options *options)
{
	int err;

	if (proxy->forgotten)
		return -ECANCELED;
	err = options_change(&proxy->options, &proxy->names, options);
	if (!err)
		listener_resume(&proxy->listener);
	return err;
}

void proxy_count(const struct proxy *proxy, struct proxy_counts *counts)
{
	*counts = (struct proxy_counts){
		.connections = proxy->nconns,
		.waiting = proxy->nwaiting,
		.upstreams = proxy->upstreams.nopen,
		.paused = proxy->listener.paused,
	};
}

/* ---- events ------------------------------------------------------------ */

struct proxy_event *proxy_take_event(struct completion *completion)
{
	struct proxy_event *event =
		container_of(completion, struct proxy_event, completion);
	struct proxy *proxy = event->proxy;
	struct conn *conn = table_find(&proxy->conns, event->conn);

	events_take(&proxy->events, event);
	/* CLOSED may be taken when the memory of its connection is gone */
	if (!conn)
		return event;
	conn->announced = true;
	if (conn->asks == event)
		conn->asks = NULL;
	return event;
}
