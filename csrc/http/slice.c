/* http/slice - see http/slice.h */
#include "http/slice.h"

#include <string.h>
#include <strings.h>

/* Short names for the table below: sets of places where a byte may stand. */
enum {
	V = HTTP_VALUE,
	VT = V | HTTP_TARGET,
	VTC = VT | HTTP_COOKIE,
	HOST = VTC | HTTP_HOST,
	TOKEN = VTC | HTTP_TOKEN,
	BOTH = HOST | TOKEN,
	HEX = BOTH | HTTP_ADDRESS,
};

const uint8_t http_char_class[256] = {
	['\t'] = V,
	[' '] = V,
	[0x80 ... 0xff] = V,
	['0' ... '9'] = HEX,
	['A' ... 'F'] = HEX,
	['a' ... 'f'] = HEX,
	['G' ... 'Z'] = BOTH,
	['g' ... 'z'] = BOTH,
	['.'] = HEX,
	['-'] = BOTH,
	['_'] = BOTH,
	['~'] = BOTH,
	['%'] = BOTH,
	['!'] = BOTH,
	['$'] = BOTH,
	['&'] = BOTH,
	['\''] = BOTH,
	['*'] = BOTH,
	['+'] = BOTH,
	['('] = HOST,
	[')'] = HOST,
	['='] = HOST,
	['^'] = TOKEN,
	['`'] = TOKEN,
	['|'] = TOKEN,
	['#'] = V | HTTP_TOKEN | HTTP_COOKIE, /* a target has no fragment */
	[':'] = VTC | HTTP_ADDRESS,
	['/'] = VTC,
	['<'] = VTC,
	['>'] = VTC,
	['?'] = VTC,
	['@'] = VTC,
	['['] = VTC,
	[']'] = VTC,
	['{'] = VTC,
	['}'] = VTC,
	['"'] = VT,
	[','] = VT,
	[';'] = VT,
	['\\'] = VT,
};

size_t http_slice_span(struct http_slice s, enum http_char class)
{
	size_t n = 0;

	while (n < s.len && http_char_is(s.at[n], class))
		n++;
	return n;
}

bool http_slice_equals(struct http_slice s, struct http_slice text)
{
	return s.len == text.len && !memcmp(s.at, text.at, s.len);
}

bool http_slice_is(struct http_slice s, struct http_slice text)
{
	return s.len == text.len && !strncasecmp(s.at, text.at, s.len);
}

bool http_slice_begins(struct http_slice s, struct http_slice text)
{
	return s.len >= text.len && !strncasecmp(s.at, text.at, text.len);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct http_slice http_slice_trim(struct http_slice s)
{
	while (s.len && is_blank(s.at[0])) {
		s.at++;
		s.len--;
	}
	while (s.len && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

bool http_slice_next(struct http_slice *list, char separator,
		     struct http_slice *item)
{
	const char *end;

	if (!list->at)
		return false;
	*item = *list;
	end = memchr(list->at, separator, list->len);
	if (end) {
		item->len = (size_t)(end - list->at);
		list->at = end + 1;
		list->len -= item->len + 1;
	} else {
		list->at = NULL;
		list->len = 0;
	}
	*item = http_slice_trim(*item);
	return true;
}

bool http_slice_lists(struct http_slice list, struct http_slice word)
{
	struct http_slice item;

	while (http_slice_next(&list, ',', &item))
		if (http_slice_is(item, word))
			return true;
	return false;
}

int64_t http_slice_number(struct http_slice s)
{
	int64_t number = 0;
	size_t i;

	for (i = 0; i < s.len; i++) {
		int digit = s.at[i] - '0';

		if (digit < 0 || digit > 9)
			return -1;
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, digit, &number))
			return -1;
	}
	return s.len ? number : -1;
}
