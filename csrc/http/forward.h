/*
 * http/forward - the heads that a reverse proxy writes
 *
 * Each is made from a head that http_head has read completely. Fields that
 * concern one connection only are left out (RFC 9110 section 7.6.1). Framing
 * is never copied, but written anew from what was understood. What a client
 * claims about its origin is replaced by what the proxy saw.
 *
 * Each writer fills at most `size` bytes of buf, without a NUL behind them,
 * and returns their number, or -ENOBUFS where they do not fit.
 */
#ifndef GC_HTTP_FORWARD_H
#define GC_HTTP_FORWARD_H

#include <sys/types.h>

#include "http/head.h"

#define HTTP_ANSWER_ROOM 256

/* How a request is changed on its way to the server. */
struct http_onward {
	const char *client;	  /* address of the peer, for X-Forwarded-For */
	struct http_slice cookie; /* name of the cookie to leave out */
};

/* How a response is changed on its way to the client. */
struct http_backward {
	int client_minor;	/* of the client's HTTP version */
	bool keep_alive;	/* whether its connection will be kept */
	bool decoded;		/* chunked coding is removed on the way */
	const char *set_cookie; /* value of Set-Cookie; NULL: none */
};

/* An answer of the proxy itself. */
struct http_answer {
	int status;	  /* 400 and above */
	const char *text; /* one line; the body, with a line feed */
	int client_minor; /* of the client's HTTP version */
	bool keep_alive;
	bool to_head; /* the request was HEAD: no body is sent */
};

/* Whether the Upgrade that this request asks for is passed on. */
bool http_forward_upgrades(const struct http_head *request);

/* An upper bound for what is made of a head, without set_cookie. */
size_t http_forward_room(const struct http_head *head);

ssize_t http_forward_request(const struct http_head *request,
			     const struct http_onward *how, char *buf,
			     size_t size);

/* Interim responses (1xx) get neither Set-Cookie nor Connection. */
ssize_t http_forward_response(const struct http_head *response,
			      const struct http_backward *how, char *buf,
			      size_t size);

/* Needs at most the length of the text and HTTP_ANSWER_ROOM bytes. */
ssize_t http_forward_answer(const struct http_answer *answer, char *buf,
			    size_t size);

#endif
