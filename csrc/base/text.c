/* text - see text.h */
#include "base/text.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

/* The least code point that a sequence of 2, 3 or 4 bytes may encode: smaller
 * ones have a shorter sequence, and 0x80 to 0x9f are control characters (C1). */
static const uint32_t least[] = { 0, 0, 0xa0, 0x800, 0x10000 };

/* The length of the UTF-8 sequence at s, a text that ends with a NUL; 0 if no
 * sequence that may be shown begins there. */
static size_t sequence(const unsigned char *s)
{
	uint32_t code;
	size_t len, i;

	if (s[0] < 0x80)
		return 1;
	len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc0 || s[0] >= 0xf8)
		return 0;
	code = s[0] & (0x7fu >> len);
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3fu);
	}
	if (code < least[len] || code > 0x10ffff ||
	    (code >= 0xd800 && code < 0xe000))
		return 0;
	return len;
}

static int is_control(unsigned char c)
{
	return (c < ' ' && c != '\t' && c != '\n') || c == 0x7f;
}

void text_clean(char *text)
{
	unsigned char *at = (unsigned char *)text;
	size_t len;

	while (*at) {
		len = is_control(*at) ? 0 : sequence(at);
		if (len == 0) {
			*at = '?';
			len = 1;
		}
		at += len;
	}
}

size_t text_append_tail(char *tail, size_t used, size_t size, const char *data,
			size_t len)
{
	size_t drop;

	assert(used <= size);
	if (len > size) {
		data += len - size;
		len = size;
	}
	drop = used + len > size ? used + len - size : 0;
	memmove(tail, tail + drop, used - drop);
	memcpy(tail + used - drop, data, len);
	return used - drop + len;
}
