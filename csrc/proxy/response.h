/*
 * proxy/response - http: what goes back to the client (see proxy/conn.h)
 *
 * Reads a server's response, or makes an answer of the proxy's own, and puts
 * what is to be sent into conn->down; changes no state. Where a response is
 * refused, http.detail says why.
 */
#ifndef GC_PROXY_RESPONSE_H
#define GC_PROXY_RESPONSE_H

#include "proxy/conn.h"

/* What has come from the server. */
enum response_head {
	RESPONSE_MORE,	  /* an incomplete head, or none */
	RESPONSE_FULL,	  /* heads, for which the client must first make room */
	RESPONSE_INTERIM, /* a 1xx: another head follows */
	RESPONSE_SWITCH,  /* a 101: bytes without frames follow */
	RESPONSE_FINAL,	  /* the content follows */
};

/* Keeps a value of Set-Cookie for the response. Returns 0, -EINVAL, -ENOMEM. */
int response_set_cookie(struct conn *conn, const char *value);

/* Takes the next head. Returns an enum response_head, or a negated errno. */
int response_take_head(struct conn *conn);

/* Judges what is there of the content. Returns 0 or a negated errno. */
int response_take_content(struct conn *conn);

/*
 * Forgets a response of which nothing was sent to the client. Returns whether
 * that is so.
 */
bool response_take_back(struct conn *conn);

/* Writes an answer of the proxy's own. Returns 0 or a negated errno. */
int response_answer(struct conn *conn, int status, const char *text);

#endif
