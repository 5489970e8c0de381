/*
 * text - makes what others wrote fit to be logged and shown
 */
#ifndef GC_ENGINE_TEXT_H
#define GC_ENGINE_TEXT_H

/* Puts '?' in the place of each control byte but tab and line end, and of
 * each byte that is not part of valid UTF-8. */
void text_clean(char *text);

#endif
