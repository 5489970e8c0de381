/*
 * http/slice - pieces of a message in a buffer that somebody else owns
 *
 * A slice owns nothing and is valid as long as its bytes stay in place. Also
 * here: which bytes HTTP allows where (RFC 9110, RFC 9112).
 */
#ifndef GC_HTTP_SLICE_H
#define GC_HTTP_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_slice {
	const char *at; /* NULL: absent, which is not the same as empty */
	size_t len;	/* bytes */
};

/* Can also initialize static data. */
#define HTTP_SLICE(literal) \
	((struct http_slice){ literal, sizeof(literal) - 1 })

/* What a byte may be part of: bits of http_char_class[]. */
enum http_char {
	HTTP_TOKEN = 1,	   /* method, field name, list item */
	HTTP_VALUE = 2,	   /* field value: of the control bytes only tab */
	HTTP_TARGET = 4,   /* request target: visible ASCII except '#' */
	HTTP_HOST = 8,	   /* registered name or IPv4 address */
	HTTP_ADDRESS = 16, /* IPv6 address between its brackets */
	HTTP_COOKIE = 32,  /* cookie value (RFC 6265) */
};

extern const uint8_t http_char_class[256];

static inline bool http_char_is(char c, enum http_char class)
{
	return http_char_class[(unsigned char)c] & class;
}

/* Number of bytes at the start of s that belong to this class. */
size_t http_slice_span(struct http_slice s, enum http_char class);

/* Whether s equals the text byte for byte, as methods are compared. */
bool http_slice_equals(struct http_slice s, struct http_slice text);

/* Whether s equals the text, ignoring case. */
bool http_slice_is(struct http_slice s, struct http_slice text);

/* Whether s begins with the text, ignoring case. */
bool http_slice_begins(struct http_slice s, struct http_slice text);

/* s without the spaces and tabs around it. */
struct http_slice http_slice_trim(struct http_slice s);

/*
 * Takes the next item, trimmed, from a list such as "a, b;q=1, c", or a Cookie
 * value with ';'. *list then begins behind the item's separator. Empty items
 * count. Quoted strings have no meaning: no field that is read here has any.
 * Returns false when the list is used up.
 */
bool http_slice_next(struct http_slice *list, char separator,
		     struct http_slice *item);

/* Whether a comma-separated list contains this word, ignoring case. */
bool http_slice_lists(struct http_slice list, struct http_slice word);

/*
 * Reads a decimal number of digits only, at most INT64_MAX. Returns -1 for
 * anything else: nothing, a sign, blanks, a list, an overflow.
 */
int64_t http_slice_number(struct http_slice s);

#endif
