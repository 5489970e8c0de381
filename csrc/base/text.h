/*
 * text - text of other programs, bounded and made fit to be logged and shown
 */
#ifndef GC_BASE_TEXT_H
#define GC_BASE_TEXT_H

#include <stddef.h>

/* Replaces with '?' each byte of a control character (C0 except tab and line
 * feed, DEL, C1) and each byte that is not part of valid UTF-8. */
void text_clean(char *text);

/*
 * Appends len bytes of data to a tail: a buffer of size bytes, the first `used`
 * of which are in use, that drops its oldest bytes when it is full. Returns the
 * number of bytes in use now. No NUL is added.
 */
size_t text_append_tail(char *tail, size_t used, size_t size, const char *data,
			size_t len);

#endif
