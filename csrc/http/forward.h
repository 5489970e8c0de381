/*
 * http/forward - the heads that a reverse proxy writes
 *
 * Made from a head that http_head has read to its end. What concerns one
 * connection only is left out (RFC 9110 section 7.6.1), framing is written
 * anew from what was understood, never copied, and what a client claims about
 * where it came from is replaced by what we saw.
 *
 * Each writer fills at most `size` bytes of buf, without a NUL behind them,
 * and returns their number, or -ENOBUFS where that is too little.
 */
#ifndef GC_HTTP_FORWARD_H
#define GC_HTTP_FORWARD_H

#include <sys/types.h>

#include "http/head.h"

#define HTTP_ANSWER_ROOM 256

/* How a request goes to the server. */
struct http_onward {
	const char *client;	  /* address of the peer, for X-Forwarded-For */
	struct http_slice cookie; /* name of the cookie to leave out */
};

/* How a response goes to the client. */
struct http_backward {
	int client_minor;	/* of the client's HTTP version */
	bool keep_alive;	/* whether its connection will be kept */
	bool decoded;		/* chunked coding is taken off on the way */
	const char *set_cookie; /* value of Set-Cookie; NULL: none */
};

/* An answer of our own. */
struct http_answer {
	int status;	  /* 400 and above */
	const char *text; /* one line; the body, with a line feed */
	bool keep_alive;
	bool to_head; /* the request was HEAD: no body is sent */
};

/* Whether an Upgrade that this request asks for is handed on. */
bool http_forward_upgrades(const struct http_head *request);

/* Bytes that suffice for what is made of a head, without set_cookie. */
size_t http_forward_room(const struct http_head *head);

ssize_t http_forward_request(const struct http_head *request,
			     const struct http_onward *how, char *buf,
			     size_t size);

/* Interim responses (1xx) get neither Set-Cookie nor Connection. */
ssize_t http_forward_response(const struct http_head *response,
			      const struct http_backward *how, char *buf,
			      size_t size);

/* It takes the length of the text and HTTP_ANSWER_ROOM bytes. */
ssize_t http_forward_answer(const struct http_answer *answer, char *buf,
			    size_t size);

#endif
