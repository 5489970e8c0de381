/*
 * proxy/exchange - http: one request after the other (see proxy/conn.h)
 *
 * Decides which state follows which, and why; request and response read and
 * write the bytes. An exchange is a request and what answers it. Its states,
 * and what leads to each:
 *
 *	HEAD	   exchange_begin(): the last exchange is over; bytes of the
 *		   next may be there
 *	ASKING	   read_head(): a head is complete; or exchange_failed()
 *	CONNECTING exchange_route(): no kept connection leads there
 *	REQUEST	   start_sending(): the server can be written to
 *	RESPONSE   take_head(): the final head has come
 *	TUNNEL	   take_head(): a 101 has come; from here on tunnel is in charge
 *	ANSWER	   exchange_answer(): refused, timed out or malformed
 *	LINGER	   close_client(): everything is written, and no request follows
 *
 * A server that fails before its response has begun leads to
 * exchange_failed(). If it had closed a kept connection while that was idle,
 * another is made, unknown to the owner; otherwise the owner is asked again.
 * The same where the response turns out to be malformed before a byte of it
 * was sent. After that the failure cannot be hidden: the client is reset, and
 * the owner is told that the response was cut short.
 *
 * A client that ends its direction is gone, even if it might still listen:
 * from its side nobody can tell, and a long poll that nobody waits for should
 * neither keep a server busy nor count as a user.
 */
#ifndef GC_PROXY_EXCHANGE_H
#define GC_PROXY_EXCHANGE_H

#include "proxy/conn.h"

extern const struct conn_ops exchange_ops;

/*
 * The proxy drains: gives a client that waits for its next request a last
 * moment for it. Its response says that the connection will be closed.
 */
void exchange_drain(struct conn *conn);

#endif
