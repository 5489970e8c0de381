/* guest/listener - see guest/listener.h */
#include "guest/listener.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* Channel and lifeline travel with the listeners of a clone. */
#define MAX_LISTENERS (WIRE_MAX_FDS - 2)

int guest_find_listeners(struct gc *gc, struct repair_listener **found,
			 struct err *err)
{
	int n, code = repair_check(gc->steps, err);

	*found = NULL;
	if (code)
		return code;
	n = repair_listeners(&gc->loop, found, err);
	if (n <= MAX_LISTENERS)
		return n;
	free(*found);
	*found = NULL;
	return err_say(err, -E2BIG,
		       "the program listens on %d ports; at most %d can be "
		       "cloned",
		       n, MAX_LISTENERS);
}

void guest_put_listeners(struct wire_buf *out,
			 const struct repair_listener *found, int n)
{
	int i;

	assert(n <= MAX_LISTENERS);
	for (i = 0; i < n; i++) {
		wire_put_int(out, found[i].family);
		wire_put_int(out, found[i].type);
		wire_put_int(out, found[i].port);
		wire_put_int(out, found[i].backlog);
	}
}
