/*
 * proxy/exchange - http: one request after the other (see proxy/conn.h)
 *
 * Which state follows which, and why; what the bytes are is the business of
 * proxy_request and proxy_response. An exchange is a request and what answers
 * it. Its states and what leads from one to the next:
 *
 *	HEAD	   begin(): the last exchange is over; bytes may be there
 *	ASKING	   read_head(): a head is complete; or failed()
 *	CONNECTING route() found no kept connection that fits
 *	REQUEST	   start_sending(): the server can be written to
 *	RESPONSE   take_head(): the final head has come
 *	TUNNEL	   take_head(): a 101 has come; now it is proxy_tunnel's
 *	ANSWER	   answer(): refused, timed out, malformed
 *	LINGER	   finish(): all is said and the client may send no more
 *
 * A server's failure before its response began goes through failed(): a kept
 * connection that was closed while idle is made anew, without a word to the
 * owner; else the owner is asked again. After that nothing can be mended, and
 * both sides are reset.
 *
 * A client that ends its direction is gone, even if it might still listen:
 * from its side nobody can tell, and a long poll that nobody waits for should
 * not keep a server busy, nor count as a user.
 */
#ifndef GC_PROXY_EXCHANGE_H
#define GC_PROXY_EXCHANGE_H

#include "proxy/conn.h"

extern const struct conn_ops exchange_ops;

#endif
