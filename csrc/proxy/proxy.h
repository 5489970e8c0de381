/*
 * proxy - a listener whose connections go where the owner says
 *
 * The owner decides, the proxy acts. For each request (http) or accepted
 * connection (tcp) it queues an event on the loop's completions, and leaves the
 * request alone until a command comes, in the same turn or later:
 *
 *	proxy_new(loop, &options, &proxy);
 *	proxy_listen(proxy, "127.0.0.1", 8080, &err);
 *	for (;;) {
 *		loop_turn(loop, -1);
 *		while ((c = loop_next(loop))) {
 *			event = proxy_take_event(c);
 *			if (c->kind == PROXY_REQUEST)
 *				proxy_route(proxy, event->conn, "127.0.0.2",
 *					    8080, NULL);
 *			proxy_event_free(event);
 *		}
 *	}
 *
 * By itself it frames messages, moves bytes with back-pressure, keeps one
 * connection to the server for each client's connection while the route stays
 * the same, renews it when it was closed while idle, watches deadlines, and
 * answers what is not HTTP.
 *
 * Options: proxy/options.h. Events: proxy/event.h. Files and states:
 * proxy/conn.h.
 *
 * Connections have numbers that are never used twice; the number of one that is
 * over gives -ENOENT. Commands may be given outside of loop_turn() only.
 */
#ifndef GC_PROXY_PROXY_H
#define GC_PROXY_PROXY_H

#include "base/err.h"
#include "base/loop.h"
#include "proxy/event.h"
#include "proxy/options.h"

struct proxy;

/* What is open now, for metrics. */
struct proxy_counts {
	int connections; /* clients */
	int waiting;	 /* of these: a decision of the owner is due */
	int upstreams;	 /* connections to servers, kept ones too */
	bool paused;	 /* not accepting for lack of room */
};

/*
 * Makes a proxy that does not listen yet. The options are copied. Returns 0,
 * -EINVAL for options out of range, -ENOMEM.
 */
int proxy_new(struct loop *loop, const struct proxy_options *options,
	      struct proxy **proxy);

/*
 * Uses other options from now on; mode, number and cookie stay as they are.
 * Deadlines that are running keep their time. Returns 0, -EINVAL, or -ECANCELED
 * after proxy_forget().
 */
int proxy_configure(struct proxy *proxy, const struct proxy_options *options);

/*
 * Listens on an address and port (0: any free one), once. On failure err says
 * what failed and why.
 */
int proxy_listen(struct proxy *proxy, const char *host, int port,
		 struct err *err);

/* Where it listens: text of up to INET6_ADDRSTRLEN bytes, and port. */
int proxy_address(const struct proxy *proxy, char *ip, int *port);

/*
 * Accepts the connections that are already made, and closes the listener;
 * connections go on.
 */
void proxy_stop_listening(struct proxy *proxy);

/*
 * From now on each response tells its client that the connection will be
 * closed, and after it the connection is. Clients that are idle get a last
 * second for a request. For an owner that ends; tunnels go on.
 */
void proxy_drain(struct proxy *proxy);

/*
 * Sends the request or connection to a server, by numeric address. set_cookie,
 * if not NULL, becomes a Set-Cookie of the response. PROXY_FAILED tells that
 * the server could not be reached. Returns 0, -ENOENT, -ENOMEM, -ECANCELED
 * after proxy_forget(), and -EINVAL where nothing waits for a route, where the
 * last event was PROXY_FAILED and not repeatable, or where an argument is no
 * address or no field value.
 */
int proxy_route(struct proxy *proxy, int64_t conn, const char *ip, int port,
		const char *set_cookie);

/*
 * Answers the request with this status and a line of text; resets a tcp
 * connection. Returns the same as proxy_route().
 */
int proxy_refuse(struct proxy *proxy, int64_t conn, int status,
		 const char *text);

/* Ends a connection at once, in any state. PROXY_CLOSED follows. */
int proxy_close(struct proxy *proxy, int64_t conn);

/*
 * Closes the connection to the server that is kept for this client, now or
 * after the response that is under way, so that the server can go away. A
 * tunnel is left alone.
 */
int proxy_detach(struct proxy *proxy, int64_t conn);

void proxy_count(const struct proxy *proxy, struct proxy_counts *counts);

/*
 * Takes over the event of a completion that came from loop_next() and is of a
 * kind in proxy/event.h. The caller frees it with proxy_event_free().
 */
struct proxy_event *proxy_take_event(struct completion *completion);

/*
 * For a child after fork(), whose descriptors are closed and whose loop is
 * another: frees the memory of all connections and touches nothing else. After
 * that every command returns -ECANCELED, until proxy_free().
 */
void proxy_forget(struct proxy *proxy);

/* Closes everything without further events; NULL is allowed. */
void proxy_free(struct proxy *proxy);

#endif
