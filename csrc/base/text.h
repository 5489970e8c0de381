/*
 * text - makes what others wrote fit to be logged and shown
 */
#ifndef GC_BASE_TEXT_H
#define GC_BASE_TEXT_H

/* Puts '?' in the place of each byte of a control character (C0 but tab and
 * line end, DEL, C1) and of each that is not part of valid UTF-8. */
void text_clean(char *text);

#endif
