/*
 * proxy/event - what a proxy tells its owner (see proxy.h)
 */
#ifndef GC_PROXY_EVENT_H
#define GC_PROXY_EVENT_H

#include "http/slice.h"

/* The kinds of completions that a proxy queues. */
enum proxy_event_kind {
	PROXY_CONN = 200, /* tcp: accepted; wants route or refuse */
	PROXY_REQUEST,	  /* http: a head; wants route or refuse */
	PROXY_FAILED,	  /* no response; wants route or refuse */
	PROXY_DONE,	  /* http: the response went out in full */
	PROXY_CLOSED,	  /* the connection is over, its id dead */
};

/* The slices and texts are good until the next command or turn. */
struct proxy_event {
	enum proxy_event_kind kind;
	int64_t conn;
	const char *peer; /* CONN, REQUEST: the client's IP address */
	int port;	  /* CONN: the client's port */
	struct http_slice method, target, host; /* REQUEST */
	struct http_slice cookie, field;	/* REQUEST: at NULL: none */
	int error;				/* FAILED: negated errno */
	bool repeatable; /* FAILED: another route may be tried */
	int status;	 /* DONE: of the response */
	int64_t wait_ms; /* DONE: from the route to the response head; -1:
			  * the response is the proxy's own */
	uint64_t nreceived, nsent; /* CLOSED: bytes from, to the client */
};

#endif
