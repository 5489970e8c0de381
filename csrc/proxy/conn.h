/*
 * proxy/conn - a client's connection; inside the proxy
 *
 * The files; each knows only those on lower floors:
 *
 *	7 proxy		  commands, events, deadlines; the proxy's life
 *	6 proxy_exchange  http: which state follows which, and why
 *	5 proxy_response  http: what goes back to the client
 *	4 proxy_request	  http: what comes from it
 *	  proxy_tunnel	  bytes both ways, unframed: tcp mode, http after 101
 *	3 proxy_conn	  opening, closing, asking, connecting, watching
 *	2 proxy_upstream  a connection to a server
 *	  proxy_listener  accepting
 *	  proxy_options	  what the owner has set
 *	1 proxy_table	  numbers of connections
 *	  proxy_address	  addresses and their text
 *	  proxy_event	  what the owner is told
 *
 * In the names of functions the files go without their "proxy_". What a lower
 * floor has to tell a higher one goes through pointers that are set once: a
 * connection's conn_ops (exchange_ops or tunnel_ops), the listener_ops, and
 * the proxy's lost_source.
 *
 * States of a connection. In http mode, one request after the other:
 *
 *	HEAD -> ASKING -> CONNECTING -> REQUEST -> RESPONSE -> HEAD ...
 *	             \______ kept upstream ______/         \-> LINGER
 *
 * and in tcp mode ASKING -> CONNECTING -> TUNNEL. A server that fails before
 * its response began leads from CONNECTING or REQUEST back to ASKING. Any
 * state may lead to ANSWER, an answer of our own, and to DEAD. This file
 * makes the states of both modes: ASKING, CONNECTING, DEAD; the others are
 * their mode's.
 *
 * Which events are watched for is never stored, but computed from the state
 * at the end of each handler and command (conn_go_on). Nothing is freed in a
 * handler: a connection that is over is DEAD, and its memory goes when the
 * loop has let go of the socket and the owner has taken PROXY_CLOSED.
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
	CONN_HEAD,	 /* a request head is awaited, or on its way */
	CONN_ASKING,	 /* the owner is to say where it goes */
	CONN_CONNECTING, /* to the server */
	CONN_REQUEST,	 /* the request goes out; no response yet */
	CONN_RESPONSE,	 /* the response goes back */
	CONN_ANSWER,	 /* one of our own goes back */
	CONN_TUNNEL,	 /* bytes go both ways */
	CONN_LINGER,	 /* all is said; what comes is thrown away */
	CONN_DEAD,	 /* closed */
};

struct conn;

/* What the floor above makes of what happens. */
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
	/* What becomes of CONNECTING: a negated errno in `failed`. */
	void (*connected)(struct conn *conn);
	void (*failed)(struct conn *conn, int error);
	/* The deadline has passed. */
	void (*expired)(struct conn *conn);
	/* Sets the deadline, where it is the time since something went on. */
	void (*progress)(struct conn *conn);
};

/* The request under way, and what its response needs to know of it. */
struct exchange {
	struct http_slice method, target, host, cookie, field; /* ASKING */
	struct http_head *partial; /* a head of which some has come */
	size_t head_len; /* of the request in up.buf; 0: passed over */
	struct http_body request, response;
	char *set_cookie;   /* for the response, or NULL */
	int minor;	    /* of the client's HTTP version */
	int64_t routed_ms;  /* when the owner said where it goes */
	bool told;	    /* the owner knows of it: DONE is due */
	bool to_head;	    /* the method is HEAD */
	bool idempotent;    /* may be sent twice (RFC 9110 9.2.2) */
	bool upgrades;	    /* asks for another protocol */
	bool content_sent;  /* a byte of its content went to a server */
	bool interim_sent;  /* a 1xx went to the client */
	bool decoded;	    /* chunked coding is taken off */
	bool keep_client;   /* another request may follow */
	bool keep_upstream; /* and the server may have it */
};

struct conn {
	struct proxy *proxy;
	const struct conn_ops *ops;
	int64_t id;
	enum conn_state state;
	struct loop_source client;
	struct upstream *upstream;	      /* NULL: none */
	struct relay_pipe up, down;	      /* to the server; to the client */
	struct completion asks, done, closed; /* what the owner is told */
	struct exchange http;
	int64_t deadline_ms;	   /* 0: none */
	int error;		   /* of PROXY_FAILED ... */
	bool repeatable;	   /* ... another route may be tried */
	int status;		   /* of PROXY_DONE ... */
	int64_t wait_ms;	   /* ... see proxy/event.h */
	bool detach;		   /* the upstream is not to be kept */
	bool announced;		   /* the owner knows of the connection */
	bool settled;		   /* it took PROXY_CLOSED, or never will */
	bool released;		   /* the loop has let go of the client */
	uint64_t nreceived, nsent; /* bytes from and to the client */
	int port;		   /* of the client */
	char peer[INET6_ADDRSTRLEN];
};

/* What all connections of a proxy share. */
struct proxy {
	struct loop *loop;
	struct proxy_options options;
	struct options_names names; /* of the options */
	struct listener listener;
	struct loop_timer sweep; /* while there are connections */
	struct table conns;
	struct upstreams upstreams;
	int nconns, nwaiting; /* not DEAD; of these: ASKING */
	int nsources;	      /* the loop still knows */
	void (*lost_source)(struct proxy *proxy); /* there is one less */
	struct relay_pool pool;
	struct http_head head; /* for heads that come in one piece */
	int64_t now;	       /* loop_now() of the handler that runs */
	bool forgotten, freed;
};

/* ---- beginning and end ------------------------------------------------- */

/*
 * A connection for an accepted socket, which is conn's, or closed on error.
 * Plain IPv4 becomes of *peer where it is that.
 */
int conn_new(struct proxy *proxy, const struct conn_ops *ops, int fd,
	     struct address *peer);

/* Ends it; nothing more is sent. Afterwards the state is CONN_DEAD. */
void conn_end(struct conn *conn);

/* The same, so that both peers see that something is missing: a reset. */
void conn_abort(struct conn *conn);

/* Ends it for an owner that takes no more events. */
void conn_drop(struct conn *conn);

/* Frees conn once neither loop nor owner holds it. */
void conn_settle(struct conn *conn);

/* After a fork: frees its memory and touches nothing else. */
void conn_forget(struct conn *conn);

/* ---- asking ------------------------------------------------------------ */

/* Queues PROXY_CONN, _REQUEST or _FAILED and waits for a decision. */
void conn_ask(struct conn *conn, enum proxy_event_kind kind);

/* Asks once more, after the server failed with this negated errno. */
void conn_ask_again(struct conn *conn, int error, bool repeatable);

/* Takes it back: the owner has decided, or need not any more. */
void conn_decided(struct conn *conn);

/* ---- the server's end -------------------------------------------------- */

/* Connects to an address. The ops tell what comes of it, maybe at once. */
void conn_connect(struct conn *conn, const struct address *address);

/* Closes the connection to the server, if there is one. */
void conn_disconnect(struct conn *conn);

/* Whose server's socket that is. */
static inline struct conn *conn_of_server(struct loop_source *source)
{
	return container_of(source, struct upstream, source)->owner;
}

/* ---- bytes and time ---------------------------------------------------- */

/* Write what may be written now. An error of the client ends conn. */
void conn_flush_up(struct conn *conn);
void conn_flush_down(struct conn *conn);

/* Sets the deadline of a state that begins; 0: none. */
void conn_set_deadline(struct conn *conn, int timeout_ms);

/* The last step of each handler and command: watches, and sets the time. */
void conn_go_on(struct conn *conn);

#endif
