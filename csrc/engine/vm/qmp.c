/* qmp - see qmp.h */
#include "engine/vm/qmp.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/setting.h"
#include "base/unix_socket.h"

#define READ_SIZE   4096
#define LIMIT_PARTS 4 /* of the time limit, which are counted */

struct qmp_command {
	struct qmp_command *next;
	const char *name; /* a literal */
	char *text;	  /* NULL: it could not be made */
	size_t len, sent; /* bytes */
	int fd;		  /* -1: none, or sent */
	qmp_done *done;
	void *owner;
};

static void free_command(struct qmp_command *command)
{
	if (command->fd >= 0)
		close(command->fd);
	free(command->text);
	free(command);
}

static struct qmp_command *take_first(struct qmp *qmp)
{
	struct qmp_command *first = qmp->first;

	assert(first && qmp->last && !qmp->last->next);
	qmp->first = first->next;
	if (!qmp->first)
		qmp->last = NULL;
	return first;
}

void qmp_close(struct qmp *qmp)
{
	loop_timer_stop(&qmp->timer);
	if (qmp->source.loop)
		loop_close(&qmp->source, NULL);
	while (qmp->first)
		free_command(take_first(qmp));
	free(qmp->in);
	qmp->in = NULL;
}

static void lose(struct qmp *qmp, int code, const char *what)
{
	struct err err;

	err_set(&err, code, "QMP: %s", what);
	loop_timer_stop(&qmp->timer);
	loop_close(&qmp->source, NULL);
	qmp->lost(qmp, &err);
}

static void on_part_over(struct loop_timer *timer);

/* Begins the next part of the time limit of the command under way. */
static void start_part(struct qmp *qmp, struct loop *loop)
{
	int limit_ms = setting_ms("GRIDCENTRIC_QMP_TIMEOUT", QMP_TIMEOUT_MS);

	loop_timer_start(loop, &qmp->timer, limit_ms / LIMIT_PARTS,
			 on_part_over);
}

/* An engine that was stopped for a while finds one part over, not the whole
 * limit: the answer may be there already, to be read next. */
static void on_part_over(struct loop_timer *timer)
{
	struct qmp *qmp = container_of(timer, struct qmp, timer);

	assert(qmp->parts < LIMIT_PARTS);
	if (++qmp->parts < LIMIT_PARTS)
		start_part(qmp, qmp->source.loop);
	else
		lose(qmp, -ETIMEDOUT,
		     qmp->first ? qmp->first->name : "greeting");
}

/* ---- sending ----------------------------------------------------------- */

static void on_ready(struct loop_source *source, uint32_t events);

/* Sends what is left of the first command. */
static void send_first(struct qmp *qmp)
{
	struct qmp_command *command = qmp->first;

	while (command && command->sent < command->len) {
		/* the descriptor goes with the first byte */
		ssize_t n = unix_socket_send(qmp->source.fd,
					     command->text + command->sent,
					     command->len - command->sent,
					     &command->fd, command->fd >= 0);

		if (n == -EAGAIN)
			break;
		if (n < 0) {
			/* the reader sees the end and tells the owner */
			shutdown(qmp->source.fd, SHUT_RDWR);
			return;
		}
		command->sent += (size_t)n;
		assert(command->sent <= command->len);
		if (command->fd >= 0)
			close(command->fd);
		command->fd = -1;
	}
	loop_change(&qmp->source,
		    EPOLLIN |
			    (command && command->sent < command->len ? EPOLLOUT
								     : 0));
}

/* Starts the first command of the queue, which was not sent yet. */
static void start_first(struct qmp *qmp)
{
	if (!qmp->first || !qmp->source.loop || qmp->source.fd < 0)
		return;
	qmp->parts = 0;
	start_part(qmp, qmp->source.loop);
	if (qmp->greeted)
		send_first(qmp);
}

/* The text of a command; takes ownership of arguments. NULL when there is no
 * memory, or the format is wrong. */
static char *encode(const char *command, json_t *arguments)
{
	json_t *object = arguments ? json_pack("{s:s,s:o}", "execute", command,
					       "arguments", arguments)
				   : json_pack("{s:s}", "execute", command);
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

	json_decref(object);
	return text;
}

void qmp_call(struct qmp *qmp, int fd, qmp_done *done, void *owner,
	      const char *name, const char *format, ...)
{
	struct qmp_command *command = calloc(1, sizeof *command);
	json_t *arguments = NULL;
	va_list values;

	if (format) {
		va_start(values, format);
		arguments = json_vpack_ex(NULL, 0, format, values);
		va_end(values);
	}
	if (!command || (format && !arguments)) {
		/* the time limit of whatever is under way tells in the end */
		json_decref(arguments);
		free(command);
		if (fd >= 0)
			close(fd);
		if (qmp->source.loop && qmp->source.fd >= 0)
			shutdown(qmp->source.fd, SHUT_RDWR);
		return;
	}
	command->name = name;
	command->text = encode(name, arguments);
	command->len = command->text ? strlen(command->text) : 0;
	command->fd = fd;
	command->done = done;
	command->owner = owner;
	if (qmp->last)
		qmp->last->next = command;
	else
		qmp->first = command;
	qmp->last = command;
	if (qmp->first == command)
		start_first(qmp);
}

/* ---- receiving --------------------------------------------------------- */

/* The answer to the first command: a result, or an error. */
static void answer(struct qmp *qmp, json_t *result, json_t *error)
{
	struct qmp_command *command = qmp->first;
	struct err err = { 0 };
	const char *text;

	if (!command || command->sent < command->len) {
		lose(qmp, -EPROTO, "an answer without a command");
		return;
	}
	if (!result && !error) {
		lose(qmp, -EPROTO, "neither answer nor event");
		return;
	}
	if (error) {
		text = json_string_value(json_object_get(error, "desc"));
		err_say(&err, -GC_EVM, "%s: %s", command->name,
			text ? text : "failed");
	}
	take_first(qmp);
	loop_timer_stop(&qmp->timer);
	start_first(qmp);
	if (command->done)
		command->done(command->owner, result, &err);
	else if (err.code)
		lose(qmp, err.code, err.text);
	free_command(command);
}

static void on_line(struct qmp *qmp, const char *line, size_t len)
{
	json_t *object = json_loadb(line, len, 0, NULL);
	json_t *name = json_object_get(object, "event");

	if (!object) {
		lose(qmp, -EPROTO, "not JSON");
	} else if (!qmp->greeted && !json_object_get(object, "QMP")) {
		lose(qmp, -EPROTO, "no greeting");
	} else if (!qmp->greeted) {
		qmp->greeted = 1;
		send_first(qmp);
	} else if (name) {
		if (json_is_string(name))
			qmp->event(qmp, json_string_value(name),
				   json_object_get(object, "data"));
	} else {
		answer(qmp, json_object_get(object, "return"),
		       json_object_get(object, "error"));
	}
	json_decref(object);
}

/* Handles whole lines. A handler may close the client, or lose it. */
static void on_bytes(struct qmp *qmp)
{
	char *end;

	while (qmp->source.fd >= 0 &&
	       (end = memchr(qmp->in, '\n', qmp->in_len))) {
		size_t len = (size_t)(end - qmp->in) + 1;
		char *line = malloc(len);

		if (!line) {
			lose(qmp, -ENOMEM, "answer");
			return;
		}
		memcpy(line, qmp->in, len);
		qmp->in_len -= len;
		memmove(qmp->in, qmp->in + len, qmp->in_len);
		on_line(qmp, line, len);
		free(line);
	}
}

static void on_ready(struct loop_source *source, uint32_t events)
{
	struct qmp *qmp = container_of(source, struct qmp, source);
	ssize_t n;
	char *in;

	if (events & EPOLLOUT)
		send_first(qmp);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	in = qmp->in_len < QMP_MAX_LINE
		     ? realloc(qmp->in, qmp->in_len + READ_SIZE)
		     : NULL;
	if (!in) {
		lose(qmp, -EPROTO, "an endless line");
		return;
	}
	qmp->in = in;
	n = recv(source->fd, in + qmp->in_len, READ_SIZE, MSG_DONTWAIT);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		lose(qmp, n < 0 ? -errno : -ECONNRESET, "QEMU");
		return;
	}
	qmp->in_len += (size_t)n;
	on_bytes(qmp);
}

int qmp_open(struct qmp *qmp, struct loop *loop, int fd,
	     void (*event)(struct qmp *, const char *, json_t *),
	     void (*lost)(struct qmp *, const struct err *))
{
	int code;

	memset(qmp, 0, sizeof *qmp);
	qmp->event = event;
	qmp->lost = lost;
	code = loop_add(loop, &qmp->source, fd, EPOLLIN, on_ready);
	if (!code)
		qmp_call(qmp, -1, NULL, NULL, "qmp_capabilities", NULL);
	return code;
}
