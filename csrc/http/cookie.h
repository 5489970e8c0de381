/*
 * http/cookie - one named cookie in the Cookie fields of a request
 *
 * Names are case-sensitive, and each ';' separates two cookies, also one
 * between quotation marks (RFC 6265 sections 4.1.2 and 5.2).
 */
#ifndef GC_HTTP_COOKIE_H
#define GC_HTTP_COOKIE_H

#include "http/head.h"

/*
 * The value of the first cookie of this name in a complete request head; at is
 * NULL when there is none. Ignores values with bytes that no server may set.
 */
struct http_slice http_cookie_find(const struct http_head *head,
				   struct http_slice name);

/*
 * Whether this piece of a Cookie field ("name=value") has the name; if so
 * *value, unless value is NULL, is what stands behind the '='.
 */
bool http_cookie_is(struct http_slice pair, struct http_slice name,
		    struct http_slice *value);

#endif
