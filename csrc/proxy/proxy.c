/* proxy - see proxy.h; and proxy/conn.h for how it is divided */
#include "proxy/proxy.h"

#include <errno.h>
#include <stdlib.h>

#include "proxy/conn.h"
#include "proxy/exchange.h"
#include "proxy/tunnel.h"

/* ---- deadlines --------------------------------------------------------- */

/*
 * One timer for all connections: deadlines change with every byte, and to be
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
		conn->deadline_ms = 0;
		conn->ops->expired(conn);
		conn_go_on(conn);
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

	proxy->lost_source(proxy);
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
	if (!proxy->forgotten)
		listener_close(&proxy->listener);
}

/* ---- beginning and end ------------------------------------------------- */

static void free_proxy(struct proxy *proxy)
{
	relay_pool_free(&proxy->pool);
	table_free(&proxy->conns);
	free(proxy);
}

/* Frees a proxy that waited for the last one. */
static void lost_source(struct proxy *proxy)
{
	if (!--proxy->nsources && proxy->freed)
		free_proxy(proxy);
}

static void upstream_gone(struct upstreams *all)
{
	lost_source(container_of(all, struct proxy, upstreams));
}

int proxy_new(struct loop *loop, const struct proxy_options *options,
	      struct proxy **made)
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
	proxy->lost_source = lost_source;
	proxy->upstreams.loop = loop;
	proxy->upstreams.gone = upstream_gone;
	listener_init(&proxy->listener, loop, &listener_ops);
	table_init(&proxy->conns, options->number);
	*made = proxy;
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
		proxy_stop_listening(proxy);
		for (i = 0; i < proxy->conns.nslots; i++) {
			conn = table_at(&proxy->conns, i);
			if (conn)
				conn_drop(conn);
		}
	}
	if (!proxy->nsources)
		free_proxy(proxy);
}

/* ---- commands ---------------------------------------------------------- */

/* The living connection of this number. */
static int find(const struct proxy *proxy, int64_t id, struct conn **found)
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

/* Finds a connection that waits for the owner. */
static int find_asking(struct proxy *proxy, int64_t id, struct conn **found)
{
	int err = find(proxy, id, found);

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

	if (!err)
		err = address_parse(&address, ip, port);
	if (!err)
		err = conn->ops->route(conn, &address, set_cookie);
	if (!err)
		conn_go_on(conn);
	return err;
}

int proxy_refuse(struct proxy *proxy, int64_t id, int status, const char *text)
{
	struct conn *conn;
	int err = find_asking(proxy, id, &conn);

	if (!err)
		err = conn->ops->refuse(conn, status, text);
	if (!err)
		conn_go_on(conn);
	return err;
}

int proxy_close(struct proxy *proxy, int64_t id)
{
	struct conn *conn;
	int err = find(proxy, id, &conn);

	if (!err)
		conn_end(conn);
	return err;
}

int proxy_detach(struct proxy *proxy, int64_t id)
{
	struct conn *conn;
	int err = find(proxy, id, &conn);

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

static struct conn *conn_of(struct completion *completion)
{
	switch (completion->kind) {
	case PROXY_DONE: return container_of(completion, struct conn, done);
	case PROXY_CLOSED: return container_of(completion, struct conn, closed);
	default: return container_of(completion, struct conn, asks);
	}
}

static void take_request(struct conn *conn, struct proxy_event *event)
{
	event->peer = conn->peer;
	event->method = conn->http.method;
	event->target = conn->http.target;
	event->host = conn->http.host;
	event->cookie = conn->http.cookie;
	event->field = conn->http.field;
	conn->http.told = true;
}

void proxy_take_event(struct completion *completion, struct proxy_event *event)
{
	struct conn *conn = conn_of(completion);

	*event = (struct proxy_event){
		.kind = (enum proxy_event_kind)completion->kind,
		.conn = conn->id,
	};
	conn->announced = true;
	switch (event->kind) {
	case PROXY_CONN:
		event->peer = conn->peer;
		event->port = conn->port;
		break;
	case PROXY_REQUEST: take_request(conn, event); break;
	case PROXY_FAILED:
		event->error = conn->error;
		event->repeatable = conn->repeatable;
		break;
	case PROXY_DONE:
		event->status = conn->status;
		event->wait_ms = conn->wait_ms;
		break;
	case PROXY_CLOSED:
		event->nreceived = conn->nreceived;
		event->nsent = conn->nsent;
		conn->settled = true;
		conn_settle(conn);
		break;
	}
}
