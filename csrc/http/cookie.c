/* http/cookie - see http/cookie.h */
#include "http/cookie.h"

#include <string.h>

bool http_cookie_is(struct http_slice pair, struct http_slice name,
		    struct http_slice *value)
{
	if (pair.len <= name.len || pair.at[name.len] != '=' ||
	    memcmp(pair.at, name.at, name.len))
		return false;
	if (value)
		*value = (struct http_slice){ pair.at + name.len + 1,
					      pair.len - name.len - 1 };
	return true;
}

struct http_slice http_cookie_find(const struct http_head *head,
				   struct http_slice name)
{
	struct http_slice list, pair, value;
	unsigned i;

	for (i = 0; i < head->nfields; i++) {
		if (!http_slice_is(head->fields[i].name, HTTP_SLICE("cookie")))
			continue;
		list = head->fields[i].value;
		while (http_slice_next(&list, ';', &pair))
			if (http_cookie_is(pair, name, &value) &&
			    http_slice_span(value, HTTP_COOKIE) == value.len)
				return value;
	}
	return (struct http_slice){ NULL, 0 };
}
