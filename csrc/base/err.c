/* err - see err.h */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int number;
	const char *name, *text;
} ours[] = {
#define X(number, name, text) { number, #name, text },
	GC_ERRORS(X)
#undef X
};

const char *err_name(int code)
{
	const char *name;
	size_t i;

	for (i = 0; i < sizeof ours / sizeof ours[0]; i++)
		if (ours[i].number == -code)
			return ours[i].name;
	name = strerrorname_np(-code);
	return name ? name : "EUNKNOWN";
}

const char *err_text(int code)
{
	const char *text;
	size_t i;

	for (i = 0; i < sizeof ours / sizeof ours[0]; i++)
		if (ours[i].number == -code)
			return ours[i].text;
	text = strerrordesc_np(-code);
	return text ? text : "unknown error";
}

int err_set(struct err *err, int code, const char *format, ...)
{
	size_t len = 0;
	va_list args;
	int n;

	if (!err)
		return code;
	err->code = code;
	err->text[0] = '\0';
	if (format) {
		va_start(args, format);
		n = vsnprintf(err->text, sizeof err->text, format, args);
		va_end(args);
		len = n < 0 ? 0 : (size_t)n;
		if (len >= sizeof err->text)
			return code;
	}
	snprintf(err->text + len, sizeof err->text - len, "%s%s",
		 format ? ": " : "", err_text(code));
	return code;
}

int err_say(struct err *err, int code, const char *format, ...)
{
	va_list args;

	if (!err)
		return code;
	err->code = code;
	va_start(args, format);
	vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
	return code;
}

int err_prefix(struct err *err, const char *format, ...)
{
	char before[sizeof err->text], after[sizeof err->text];
	va_list args;

	va_start(args, format);
	vsnprintf(before, sizeof before, format, args);
	va_end(args);
	memcpy(after, err->text, sizeof after);
	/* what is too long loses its end: the nearest cause */
	if (snprintf(err->text, sizeof err->text, "%s: %s", before, after) < 0)
		err->text[0] = '\0';
	return err->code;
}
