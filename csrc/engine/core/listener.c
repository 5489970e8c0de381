/* listener - see listener.h */
#include "engine/core/listener.h"

#include <errno.h>
#include <sys/socket.h>

int listeners_read(struct wire_msg *msg, struct listener *listeners,
		   struct err *err)
{
	int n = 0;

	while (wire_more(msg)) {
		struct listener *is = &listeners[n];

		if (n == MAX_LISTENERS)
			return err_say(err, -E2BIG, "more than %d listeners",
				       MAX_LISTENERS);
		is->family = (int)wire_int(msg);
		is->type = (int)wire_int(msg);
		is->port = (int)wire_int(msg);
		is->backlog = (int)wire_int(msg);
		if ((is->family != AF_INET && is->family != AF_INET6) ||
		    (is->type != SOCK_STREAM && is->type != SOCK_DGRAM) ||
		    is->port < 1 || is->port > 65535)
			return err_say(err, -GC_EPROTO, "not a listener");
		n++;
	}
	return n;
}
