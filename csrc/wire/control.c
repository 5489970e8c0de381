/* control - see control.h */
#include "wire/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unix_socket.h"

static int send_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The length of the answer at the start of data, 0 while it is not whole;
 * what comes before it, a greeting, is dropped. */
static int find_answer(uint8_t *data, size_t *len, struct wire_msg *msg)
{
	int n;

	while ((n = wire_decode(data, *len, msg)) > 0 &&
	       msg->type != WIRE_STATE && msg->type != WIRE_ANSWER) {
		*len -= (size_t)n;
		memmove(data, data + n, *len);
	}
	return n;
}

/* Reads on until the answer is whole; frees and refuses what is none. */
static int receive(int fd, struct control_answer *answer)
{
	size_t len = 0, cap = WIRE_MAX_FRAME;
	uint8_t *data = malloc(cap);
	ssize_t n;
	int code = data ? 0 : -ENOMEM;

	while (!code) {
		n = recv(fd, data + len, cap - len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			code = errno == EAGAIN ? -ETIMEDOUT : -errno;
		} else if (n == 0) {
			code = -ECONNRESET;
		} else {
			len += (size_t)n;
			code = find_answer(data, &len, &answer->msg);
		}
	}
	if (code < 0) {
		free(data);
		return code;
	}
	answer->frame = data;
	wire_int(&answer->msg); /* op: there is only one */
	return 0;
}

int control_ask(const char *path, const char *json, int timeout_ms,
		struct control_answer *answer, struct err *err)
{
	struct wire_buf out = { 0 };
	int fd = unix_socket_connect(path, timeout_ms), code;

	memset(answer, 0, sizeof *answer);
	if (fd < 0)
		return err_set(err, fd, "%s", path);
	wire_put(&out, WIRE_HELLO, WIRE_INT(WIRE_VERSION), "",
		 WIRE_INT(ROLE_CONTROL), WIRE_INT(getpid()));
	code = json ? wire_put(&out, WIRE_COMMAND, WIRE_INT(1), json)
		    : wire_put(&out, WIRE_STATUS, WIRE_INT(1));
	if (!code)
		code = send_all(fd, out.data, out.len);
	if (!code)
		code = receive(fd, answer);
	wire_free(&out);
	close(fd);
	return code ? err_set(err, code, "%s", path) : 0;
}
