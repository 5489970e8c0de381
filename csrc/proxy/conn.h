/*
 * proxy/conn - a client's connection; inside the proxy
 *
 * The files, each of which knows only those on lower floors:
 *
 *	7 proxy		commands, deadlines; beginning and end of the proxy
 *	6 exchange	http: which state follows which, and why
 *	5 response	http: what goes back to the client
 *	4 request	http: what comes from it
 *	  tunnel	bytes both ways, unframed: tcp mode, http after 101
 *	3 conn		opening, closing, asking, connecting, watching, lingering
 *	2 upstream	a connection to a server
 *	  listener	accepting
 *	  options	settings of the owner
 *	1 event		messages to the owner
 *	  table		numbers of connections
 *	  address	addresses and their text
 *	  relay		bytes on their way
 *
 * A lower floor reports to a higher one through pointers that are set once: a
 * connection's conn_ops (exchange_ops or tunnel_ops), the listener_ops, and
 * the proxy's source_released.
 *
 * States of a connection. In http mode, one request after the other:
 *
 *	HEAD -> ASKING -> CONNECTING -> REQUEST -> RESPONSE -> HEAD ...
 *	             \______ kept upstream ______/         \-> LINGER -> DEAD
 *
 * and in tcp mode ASKING -> CONNECTING -> TUNNEL -> LINGER -> DEAD. A server
 * that fails before its response has begun leads from CONNECTING or REQUEST
 * back to ASKING. Most states may lead to ANSWER, an answer of the proxy's
 * own, and any state to DEAD. conn_move() makes every change and asserts that
 * it is one of these. The comment of each state names who enters it.
 *
 * Which events are watched for is never stored, but computed from the state
 * at the end of each handler and command (conn_update). Nothing is freed in a
 * handler: a connection that is over is DEAD, and its memory is freed when the
 * loop has released its socket. Events do not point into it (event.h).
 *
 * A peer stalls when it owes something - bytes to give, or to take - and has
 * neither given nor taken a byte for stall_timeout. Bytes in the kernel's send
 * buffer count as taken when the peer acknowledges them, so a client that
 * reads slowly is not stalled, however long its kernel makes us wait. For the
 * same reason a socket is closed only when its last bytes are acknowledged:
 * the kernel gives up on a closed socket after about 100 s and resets it.
 */
#ifndef GC_PROXY_CONN_H
#define GC_PROXY_CONN_H

#include "base/loop.h"
#include "http/body.h"
#include "http/head.h"
#include "proxy/address.h"
#include "proxy/event.h"
#include "proxy/listener.h"
#include "proxy/options.h"
#include "proxy/relay.h"
#include "proxy/table.h"
#include "proxy/upstream.h"

enum conn_state {
	CONN_HEAD,	 /* exchange: waits for a request head */
	CONN_ASKING,	 /* conn: the owner is to say where it goes */
	CONN_CONNECTING, /* conn: to the server */
	CONN_REQUEST,	 /* exchange: the request goes out; no response yet */
	CONN_RESPONSE,	 /* exchange: the response goes back */
	CONN_ANSWER,	 /* exchange: an answer of the proxy's goes back */
	CONN_TUNNEL,	 /* tunnel: bytes go both ways */
	CONN_LINGER,	 /* conn: all is written; peers are still reading */
	CONN_DEAD,	 /* conn: closed */
	CONN_NSTATES,
};

struct conn;

/* What the floor above does in its mode. */
struct conn_ops {
	/* A connection was accepted. */
	void (*begin)(struct conn *conn);
	/* Handlers of the client's socket, and of a connected server's. */
	void (*client_ready)(struct loop_source *source, uint32_t events);
	void (*server_ready)(struct loop_source *source, uint32_t events);
	/* The owner has decided, while ASKING. Return 0, -EINVAL, -ENOMEM. */
	int (*route)(struct conn *conn, const struct address *address,
		     const char *set_cookie);
	int (*refuse)(struct conn *conn, int status, const char *text);
	/* How CONNECTING ended: well, or with a negated errno. */
	void (*connected)(struct conn *conn);
	void (*failed)(struct conn *conn, int error);
	/* The deadline has passed, in any state but LINGER. */
	void (*expired)(struct conn *conn);
	/* Sets the deadline of states whose deadline moves. */
	void (*set_deadline)(struct conn *conn);
};

/* The request under way, and what its response needs to know of it. */
struct exchange {
	struct http_head *partial; /* a head that is incomplete, or NULL */
	struct http_body request, response;
	struct proxy_event *done; /* for the owner, who knows of the request;
				   * NULL: it does not, or was told the end */
	char *set_cookie;	  /* for the response, or NULL */
	const char *detail;	  /* what is wrong with the response, or NULL */
	int minor;		  /* of the client's HTTP version */
	int status;		  /* of the response */
	uint64_t begins_at;	  /* conn->nsent before its first byte */
	int64_t routed_ms;	  /* when the owner said where it goes */
	int64_t wait_ms;    /* from there to the response head; -1: none */
	bool to_head;	    /* the method is HEAD */
	bool idempotent;    /* may be sent twice (RFC 9110 9.2.2) */
	bool upgrades;	    /* asks for another protocol */
	bool waits;	    /* was sent; response_timeout is running */
	bool content_sent;  /* a byte of its content went to a server */
	bool answered;	    /* a byte came back from a server */
	bool decoded;	    /* chunked coding is removed */
	bool keep_client;   /* another request may follow */
	bool keep_upstream; /* and the server may have it */
};

struct conn {
	struct proxy *proxy;
	const struct conn_ops *ops;
	int64_t id;
	enum conn_state state; /* changed by conn_move() only */
	struct loop_source client;
	struct upstream *upstream;  /* NULL: none */
	struct relay_pipe up, down; /* to the server; to the client */
	struct proxy_event *asks;   /* that nobody has taken yet, or NULL */
	struct proxy_event *closed; /* for the end; NULL: it was sent */
	struct exchange http;
	int64_t deadline_ms;	      /* 0: none */
	int64_t client_ms, server_ms; /* since when each owes something and
					  * moved no byte; see stalls above */
	bool repeatable;	      /* the owner may choose a route */
	bool detach;		      /* the upstream is not to be kept */
	bool announced;		      /* the owner knows of the connection */
	uint64_t nreceived, nsent;    /* bytes from and to the client */
	uint64_t ntaken;	      /* of nsent: acknowledged when last
					  * looked at */
	int port;		      /* of the client */
	char peer[INET6_ADDRSTRLEN];
};

/* What all connections of a proxy share. */
struct proxy {
	struct loop *loop;
	struct proxy_options options;
	struct options_names names; /* of the options */
	struct listener listener;
	struct loop_timer sweep; /* while there are connections */
	struct events events;
	struct table conns;
	struct upstreams upstreams;
	int nconns;   /* that are not DEAD */
	int nwaiting; /* of these: ASKING */
	int nsources; /* sockets that the loop has not released */
	void (*source_released)(struct proxy *proxy); /* one less */
	struct relay_pool pool;
	struct http_head head; /* for heads that come in one piece */
	int64_t now;	       /* loop_now() of the handler that runs */
	bool draining;	       /* no connection is kept for another request */
	bool forgotten, freed;
};

/* ---- beginning and end -------------------------------------------------- */

/*
 * Makes a connection of an accepted socket, which it owns, or closes on error.
 * An IPv4 address in *peer that is mapped to IPv6 becomes a plain one.
 */
int conn_new(struct proxy *proxy, const struct conn_ops *ops, int fd,
	     struct address *peer);

/* Goes to another state, which must be one that may follow. */
void conn_move(struct conn *conn, enum conn_state state);

/* Closes it now; what the kernel has not sent yet it goes on sending. */
void conn_end(struct conn *conn);

/* Closes it so that both peers see that something is missing: a reset. */
void conn_abort(struct conn *conn);

/*
 * Closes it once the peers have acknowledged what was written to them. For a
 * connection on which everything was written; conn may be DEAD afterwards.
 */
void conn_linger(struct conn *conn);

/* Looks after a connection that lingers: its deadline has passed. */
void conn_expire_linger(struct conn *conn);

/* Frees its memory after a fork and touches nothing else. */
void conn_forget(struct conn *conn);

/* ---- asking ------------------------------------------------------------- */

/* Sends CONN, REQUEST or FAILED to the owner and waits for a decision. */
void conn_ask(struct conn *conn, struct proxy_event *event,
	      enum proxy_event_kind kind);

/*
 * Asks once more, after the server failed with this negated errno. Returns 0,
 * or -ENOMEM, and then the state is as before.
 */
int conn_ask_again(struct conn *conn, int error, bool repeatable);

/* ---- the server's end --------------------------------------------------- */

/* Connects to an address. The ops hear how it went, maybe at once. */
void conn_connect(struct conn *conn, const struct address *address);

/* Closes the connection to the server, if there is one. */
void conn_disconnect(struct conn *conn);

/* The connection to whose server this socket leads. */
static inline struct conn *conn_of_server(struct loop_source *source)
{
	return container_of(source, struct upstream, source)->owner;
}

/* ---- bytes and time ----------------------------------------------------- */

/* Write what may be written now. An error of the client ends conn. */
void conn_flush_up(struct conn *conn);
void conn_flush_down(struct conn *conn);

/* Notes that the peer has given or taken a byte. */
void conn_client_moved(struct conn *conn);
void conn_server_moved(struct conn *conn);

/*
 * Whether a peer has acknowledged bytes since this was last asked; notes that
 * it has moved.
 */
bool conn_was_acknowledged(struct conn *conn);

/* Whether the peers have acknowledged all that was written to them. */
bool conn_is_delivered(const struct conn *conn);

/* Sets the deadline of a state that begins; 0: none. */
void conn_set_timeout(struct conn *conn, int timeout_ms);

/*
 * Sets the deadline by which a peer that owes something must move a byte: the
 * earlier of the two, or none where neither owes anything.
 */
void conn_set_stall(struct conn *conn, bool client_owes, bool server_owes);

/* The last step of each handler and command: what to watch for, and how long. */
void conn_update(struct conn *conn);

#endif
