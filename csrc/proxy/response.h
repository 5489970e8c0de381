/*
 * proxy/response - http: what goes back to the client (see proxy/conn.h)
 *
 * Reads a server's response, or makes one of our own, and puts what is to be
 * sent into conn->down; changes no state.
 */
#ifndef GC_PROXY_RESPONSE_H
#define GC_PROXY_RESPONSE_H

#include "proxy/conn.h"

/* What a head was that came from the server. */
enum response_head {
	RESPONSE_MORE,	  /* it has not ended yet */
	RESPONSE_INTERIM, /* a 1xx: another one follows */
	RESPONSE_SWITCH,  /* a 101: bytes without frames follow */
	RESPONSE_FINAL,	  /* the content follows */
};

/* Keeps a value of Set-Cookie for the response; -EINVAL, -ENOMEM. */
int response_set_cookie(struct conn *conn, const char *value);

/* Takes the next head; an enum response_head, or a negated errno. */
int response_take_head(struct conn *conn);

/* Judges what has come of the content; 0 or a negated errno. */
int response_take_content(struct conn *conn);

/* Writes an answer of our own instead; 0 or a negated errno. */
int response_answer(struct conn *conn, int status, const char *text);

#endif
