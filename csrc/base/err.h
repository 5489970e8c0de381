/*
 * err - errors of our own beside errno's, and texts with context
 *
 * Functions return 0 or a negative code: a negated errno, or one of these.
 */
#ifndef GC_BASE_ERR_H
#define GC_BASE_ERR_H

#include <stddef.h>

/* number, name, text. Never renumber: they travel over the channel. */
/* clang-format off */
#define GC_ERRORS(X) \
	X(4001, GC_EDENIED,   "no resources") \
	X(4002, GC_EIMPOSSIBLE, "the request can never be granted") \
	X(4003, GC_ENOTICKET, "no such ticket") \
	X(4004, GC_ENOTOWNER, "the ticket belongs to another domain") \
	X(4005, GC_EUSED,     "the ticket is not in a state for this") \
	X(4006, GC_ENODOMAIN, "no such domain") \
	X(4007, GC_EHOOK,     "a hook failed") \
	X(4008, GC_EREPAIR,   "the clone could not be repaired") \
	X(4009, GC_EDIED,     "the domain ended before it was ready") \
	X(4010, GC_ENOTREADY, "the program did not answer in time") \
	X(4011, GC_EENGINE,   "the engine could not be started") \
	X(4012, GC_EPROTO,    "the peer does not speak this protocol") \
	X(4013, GC_EVM,       "the virtual machine failed") \
	X(4014, GC_EIMAGE,    "not an image that boots") \
	X(4015, GC_EVETO,     "the program must not be cloned now")
/* clang-format on */

enum gc_error {
#define X(number, name, text) name = number,
	GC_ERRORS(X)
#undef X
};

/*
 * An error's text, with what was being done before it. Filled where the
 * failure happens, prefixed on the way up: "clone: bind: address in use".
 */
struct err {
	int code; /* negative, 0: none */
	char text[240];
};

/* "EADDRINUSE" or "GC_EDENIED" for a negative code; "EUNKNOWN" otherwise. */
const char *err_name(int code);

/* The text of a negative code, as strerror() does; static memory. */
const char *err_text(int code);

/* Stores code and "formatted: text of code"; format NULL: the text alone.
 * err may be NULL. Returns code. */
int err_set(struct err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Stores code and the formatted text only. Returns code. */
int err_say(struct err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "formatted: " before the text. Returns err's code. */
int err_prefix(struct err *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
