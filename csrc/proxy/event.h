/*
 * proxy/event - what a proxy tells its owner (see proxy.h)
 *
 * An event is a message by value: it owns its texts and points into no
 * connection, so that whoever takes it may keep it for any time, also while
 * the connection lives on, or in another thread.
 *
 * It belongs to the proxy until proxy_take_event(), and to the taker from then
 * on. The proxy drops what nobody has taken when it is freed.
 */
#ifndef GC_PROXY_EVENT_H
#define GC_PROXY_EVENT_H

#include <netinet/in.h>
#include <sys/queue.h>

#include "base/loop.h"
#include "http/slice.h"

/* The kinds of completions that a proxy queues. */
enum proxy_event_kind {
	PROXY_CONN = 200, /* tcp: accepted; expects route or refuse */
	PROXY_REQUEST,	  /* http: a head; expects route or refuse */
	PROXY_FAILED,	  /* no response; expects route or refuse */
	PROXY_DONE,	  /* http: the request is over */
	PROXY_CLOSED,	  /* the connection is over, its id invalid */
};

struct proxy;

/* The slices lie in `text`, and are missing (at is NULL) where not stated. */
struct proxy_event {
	struct completion completion; /* its kind: enum proxy_event_kind */
	TAILQ_ENTRY(proxy_event) link;
	struct proxy *proxy; /* whose events it stands among; NULL: none's */
	int64_t conn;
	int port;		     /* CONN: the client's port */
	int status;		     /* DONE: of the response */
	int error;		     /* FAILED: negated errno; DONE: the
					   * same where the response was cut
					   * short, otherwise 0 */
	bool repeatable;	     /* FAILED: another route may follow */
	const char *detail;	     /* FAILED, DONE: what was wrong with
					   * the response, a constant; or NULL */
	int64_t wait_ms;	     /* DONE: from route to response head;
					   * -1: the answer is the proxy's */
	uint64_t nreceived, nsent;   /* CLOSED: bytes from, to the client */
	char peer[INET6_ADDRSTRLEN]; /* CONN, REQUEST: IP address */
	struct http_slice method, target; /* REQUEST */
	struct http_slice host, cookie;	  /* REQUEST */
	struct http_slice field, agent;	  /* REQUEST: as the options ask */
	char text[];			  /* of the slices */
};

/* Looks at the event of a completion; it stays where it is. */
static inline const struct proxy_event *
proxy_event_of(const struct completion *completion)
{
	return (const struct proxy_event *)((const char *)completion -
					    offsetof(struct proxy_event,
						     completion));
}

/* Frees an event that was taken; NULL is allowed. */
void proxy_event_free(struct proxy_event *event);

/* ---- inside the proxy --------------------------------------------------- */

/* Events that were pushed and that nobody has taken. */
struct events {
	struct loop *loop;
	TAILQ_HEAD(event_list, proxy_event) list;
};

void events_init(struct events *events, struct loop *loop);

/* An event about a connection, with everything else zero; NULL: no memory. */
struct proxy_event *event_new(int64_t conn);

/* The same, with copies of the slices of *request, all others missing. */
struct proxy_event *event_new_request(int64_t conn,
				      const struct proxy_event *request);

/* Queues an event on the loop; the events own it until it is taken. */
void events_push(struct events *events, struct proxy *proxy,
		 struct proxy_event *event, enum proxy_event_kind kind);

/* Takes an event out, which is the caller's then. */
void events_take(struct events *events, struct proxy_event *event);

/* Takes back and frees an event that nobody has taken. */
void events_withdraw(struct events *events, struct proxy_event *event);

/* Takes back and frees all. */
void events_withdraw_all(struct events *events);

/* After a fork: frees all and does not touch the loop. */
void events_forget(struct events *events);

#endif
