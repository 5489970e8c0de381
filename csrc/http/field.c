/* http/field - see http/field.h */
#include "http/field.h"

#include <string.h>

enum {
	MAX_NAME = 32, /* bytes; longer than every name below */
};

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-';
}

/*
 * The name with '-' in place of unusual bytes, in `room` if it has any. A
 * longer name is cut: only its beginning matters then.
 */
static struct http_slice plain_name(struct http_slice name, char room[MAX_NAME])
{
	size_t i = 0;

	while (i < name.len && is_plain(name.at[i]))
		i++;
	if (i == name.len)
		return name;
	if (name.len > MAX_NAME)
		name.len = MAX_NAME;
	for (i = 0; i < name.len; i++)
		room[i] = is_plain(name.at[i]) ? name.at[i] : '-';
	return (struct http_slice){ room, name.len };
}

static bool is_one_of(struct http_slice name, const struct http_slice *names,
		      size_t nnames)
{
	size_t i;

	for (i = 0; i < nnames; i++)
		if (http_slice_is(name, names[i]))
			return true;
	return false;
}

#define IS_ONE_OF(name, names) \
	is_one_of(name, names, sizeof(names) / sizeof(names)[0])

bool http_field_is_hop(struct http_slice name)
{
	static const struct http_slice hop[] = {
		HTTP_SLICE("connection"),	 HTTP_SLICE("keep-alive"),
		HTTP_SLICE("proxy-connection"),	 HTTP_SLICE("te"),
		HTTP_SLICE("upgrade"),		 HTTP_SLICE("content-length"),
		HTTP_SLICE("transfer-encoding"),
	};
	char room[MAX_NAME];

	return IS_ONE_OF(plain_name(name, room), hop);
}

bool http_field_is_claim(struct http_slice name)
{
	char room[MAX_NAME];
	struct http_slice plain = plain_name(name, room);

	return http_slice_begins(plain, HTTP_SLICE("x-forwarded-")) ||
	       http_slice_is(plain, HTTP_SLICE("x-real-ip")) ||
	       http_slice_is(plain, HTTP_SLICE("forwarded"));
}

bool http_field_may_trail(struct http_slice name)
{
	static const struct http_slice early[] = {
		HTTP_SLICE("host"),
		HTTP_SLICE("cookie"),
		HTTP_SLICE("set-cookie"),
		HTTP_SLICE("authorization"),
		HTTP_SLICE("proxy-authorization"),
		HTTP_SLICE("expect"),
		HTTP_SLICE("content-encoding"),
		HTTP_SLICE("content-type"),
		HTTP_SLICE("content-range"),
		HTTP_SLICE("via"),
	};
	char room[MAX_NAME];

	return !http_field_is_hop(name) && !http_field_is_claim(name) &&
	       !IS_ONE_OF(plain_name(name, room), early);
}
