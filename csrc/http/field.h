/*
 * http/field - which fields of a message a reverse proxy passes on
 *
 * Servers that hand fields to programs as environment variables (CGI, WSGI,
 * FastCGI) write '-' as '_', so that Content_Length arrives as Content-Length.
 * Names are therefore compared with every byte that is neither a letter nor a
 * digit read as '-', and regardless of case.
 */
#ifndef GC_HTTP_FIELD_H
#define GC_HTTP_FIELD_H

#include "http/slice.h"

/*
 * Whether the field belongs to one connection only, or frames the message: it
 * is never copied, but written anew from what was understood.
 */
bool http_field_is_hop(struct http_slice name);

/* Whether a client could use this request field to pose as somebody else. */
bool http_field_is_claim(struct http_slice name);

/*
 * Whether the field may stand in a trailer. Those may not that a recipient
 * must know before the content, or by which a client could change after the
 * fact what was decided from the head (RFC 9110 section 6.5.1).
 */
bool http_field_may_trail(struct http_slice name);

#endif
