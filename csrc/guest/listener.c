/* guest/listener - see guest/listener.h */
#include "guest/listener.h"

int guest_find_listeners(struct gc *gc, struct repair_listener *found, int *n,
			 struct err *err)
{
	int code = 0;

	if (gc->uv_fault.code)
		code = err_say(err, gc->uv_fault.code, "%s", gc->uv_fault.text);
	else if (gc->uv)
		code = repair_uv_check(gc->uv, err);
	if (code)
		return code;
	*n = repair_listeners(&gc->loop, found, REPAIR_MAX_LISTENERS, err);
	return *n < 0 ? *n : 0;
}

void guest_put_listeners(struct wire_buf *out,
			 const struct repair_listener *found, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		wire_put_int(out, found[i].family);
		wire_put_int(out, found[i].type);
		wire_put_int(out, found[i].port);
		wire_put_int(out, found[i].backlog);
	}
}
