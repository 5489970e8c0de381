/*
 * proxy - a listener whose connections go where the owner says
 *
 * The owner decides, the proxy acts. For each request (http) or accepted
 * connection (tcp) it queues an event on the loop's completions and does
 * nothing further with it until a command comes, in the same turn or later:
 *
 *	proxy_new(loop, &options, &proxy);
 *	proxy_listen(proxy, "127.0.0.1", 8080, &err);
 *	for (;;) {
 *		loop_turn(loop, -1);
 *		while ((c = loop_next(loop))) {
 *			proxy_take_event(c, &event);
 *			if (event.kind == PROXY_REQUEST)
 *				proxy_route(proxy, event.conn, "127.0.0.2",
 *					    8080, NULL);
 *		}
 *	}
 *
 * What it does by itself: frames messages, moves bytes with back-pressure,
 * keeps one connection to the server for each connection of a client while
 * the route stays the same, renews it when it was closed while idle, watches
 * the time, answers what is not HTTP.
 *
 * Options: proxy/options.h. Events: proxy/event.h. How it is divided:
 * proxy/conn.h.
 *
 * Connections are named by numbers that are never used twice; one that is
 * over gives -ENOENT. Commands are for outside of loop_turn() only.
 */
#ifndef GC_PROXY_PROXY_H
#define GC_PROXY_PROXY_H

#include "base/err.h"
#include "base/loop.h"
#include "proxy/event.h"
#include "proxy/options.h"

struct proxy;

/* What is open, for metrics. */
struct proxy_counts {
	int connections; /* clients */
	int waiting;	 /* of these: an answer of the owner is due */
	int upstreams;	 /* connections to servers, kept ones too */
	bool paused;	 /* not accepting for lack of room */
};

/*
 * Makes a proxy that listens nowhere yet. The options are copied. Returns 0,
 * -EINVAL for options out of range, -ENOMEM.
 */
int proxy_new(struct loop *loop, const struct proxy_options *options,
	      struct proxy **proxy);

/*
 * Goes by other options from now on, but for the mode, the number and the
 * cookie, which stay. Deadlines that are running keep their time. Returns 0,
 * -EINVAL, or -ECANCELED after proxy_forget().
 */
int proxy_configure(struct proxy *proxy, const struct proxy_options *options);

/*
 * Listens on an address and port (0: any free one), once. On failure err says
 * what and why.
 */
int proxy_listen(struct proxy *proxy, const char *host, int port,
		 struct err *err);

/* Where it listens: text into ip (INET6_ADDRSTRLEN bytes), port. */
int proxy_address(const struct proxy *proxy, char *ip, int *port);

/* Closes the listener; connections go on. */
void proxy_stop_listening(struct proxy *proxy);

/*
 * Sends the request or connection to a server, by numeric address. set_cookie,
 * if not NULL, is put as Set-Cookie into the response. A server that cannot be
 * reached is told by PROXY_FAILED. Returns 0, -ENOENT, -EINVAL where nothing
 * waits for a route or an argument is no address or no field value, -ENOMEM,
 * -ECANCELED after proxy_forget().
 */
int proxy_route(struct proxy *proxy, int64_t conn, const char *ip, int port,
		const char *set_cookie);

/*
 * Answers the request with this status and a line of text; a tcp connection
 * is reset. Returns as proxy_route().
 */
int proxy_refuse(struct proxy *proxy, int64_t conn, int status,
		 const char *text);

/* Ends a connection at once, whatever it does. PROXY_CLOSED follows. */
int proxy_close(struct proxy *proxy, int64_t conn);

/*
 * Closes the connection to the server that is kept for this client, now or
 * after the response that is under way: for a server that is to have no
 * connections. A tunnel is left alone.
 */
int proxy_detach(struct proxy *proxy, int64_t conn);

void proxy_count(const struct proxy *proxy, struct proxy_counts *counts);

/*
 * Tells what a completion of a kind above is about. After PROXY_CLOSED the
 * memory of the connection may be gone.
 */
void proxy_take_event(struct completion *completion, struct proxy_event *event);

/*
 * In a child after fork(), whose descriptors are closed and whose loop is
 * another: frees the memory of all connections and touches nothing else. What
 * is left answers every command with -ECANCELED until proxy_free().
 */
void proxy_forget(struct proxy *proxy);

/* Closes everything without further events; NULL is allowed. */
void proxy_free(struct proxy *proxy);

#endif
