/*
 * http/cookie - one named cookie in the Cookie fields of a request
 *
 * Names count with the case of their letters (RFC 6265 section 4.1.2).
 */
#ifndef GC_HTTP_COOKIE_H
#define GC_HTTP_COOKIE_H

#include "http/head.h"

/*
 * The value of the first cookie of this name in a complete request head. A
 * value with bytes that no server may set is passed over; at is NULL when
 * there is none.
 */
struct http_slice http_cookie_find(const struct http_head *head,
				   struct http_slice name);

/*
 * Whether this piece of a Cookie field ("name=value") bears the name; *value
 * is then what stands behind the sign. value may be NULL.
 */
bool http_cookie_is(struct http_slice pair, struct http_slice name,
		    struct http_slice *value);

#endif
