/* programs - see programs.h */
#include "agent/programs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unix_socket.h"

/* An operation that is not answered yet. */
struct op {
	int64_t number; /* to the engine */
	int64_t own;	/* to the program */
	struct op *next;
};

struct program {
	struct channel channel;
	struct programs *all;
	int said_hello;
	struct op *ops, **ops_end; /* oldest first */
	int nops;
	struct program *next, **self;
};

/* ---- operations -------------------------------------------------------- */

/* Removes operation `number` from the program's list and stores the program's
 * own number. Returns whether it was there. */
static int take_op(struct program *program, int64_t number, int64_t *own)
{
	struct op **at, *op;

	for (at = &program->ops; (op = *at); at = &op->next) {
		if (op->number != number)
			continue;
		*own = op->own;
		*at = op->next;
		if (!op->next)
			program->ops_end = at;
		assert(program->nops > 0);
		program->nops--;
		free(op);
		return 1;
	}
	return 0;
}

static void forget_ops(struct program *program)
{
	struct op *op;

	while ((op = program->ops)) {
		program->ops = op->next;
		free(op);
	}
	program->ops_end = &program->ops;
	program->nops = 0;
}

static struct op *add_op(struct program *program, int64_t own)
{
	struct op *op = calloc(1, sizeof *op);

	if (!op)
		return NULL;
	op->number = ++program->all->last_op;
	op->own = own;
	*program->ops_end = op;
	program->ops_end = &op->next;
	program->nops++;
	return op;
}

/* ---- what a program says ----------------------------------------------- */

static void free_program(struct loop_source *source)
{
	free(container_of(container_of(source, struct channel, source),
			  struct program, channel));
}

static void drop(struct program *program)
{
	struct programs *all = program->all;

	channel_close(&program->channel, free_program);
	forget_ops(program);
	if (all->watcher == program)
		all->watcher = NULL;
	assert(all->n > 0 && *program->self == program);
	*program->self = program->next;
	if (program->next)
		program->next->self = program->self;
	all->n--;
}

static void on_ended(struct channel *channel, int err)
{
	drop(container_of(channel, struct program, channel));
}

/* Where messages to the engine are written. The port is open whenever programs
 * are heard. */
static struct wire_buf *engine_out(struct programs *all)
{
	assert(channel_is_open(all->engine));
	return channel_out(all->engine);
}

/* Sends what was passed on. Many programs may say more in one turn than a
 * channel keeps, so programs are held back after each message, if need be. */
static void send_on(struct programs *all)
{
	channel_send(all->engine);
	programs_flow(all);
}

/* Answers an operation of any kind with an error. */
static void refuse_op(struct program *program, int64_t op, int code,
		      const char *text)
{
	wire_put(channel_out(&program->channel), WIRE_DONE, op, WIRE_INT(code),
		 text);
	channel_send(&program->channel);
}

static void pass_on_op(struct program *program, struct wire_msg *msg)
{
	int64_t own = wire_int(msg);
	struct op *op;

	if (program->nops >= PROGRAMS_MAX_OPS) {
		refuse_op(program, own, -EAGAIN,
			  "too many operations of this program are under way");
		return;
	}
	op = add_op(program, own);
	if (!op) {
		refuse_op(program, own, -ENOMEM, "the agent is out of memory");
		return;
	}
	if (wire_relay_op(engine_out(program->all), msg, op->number)) {
		take_op(program, op->number, &own);
		refuse_op(program, own, -EMSGSIZE, "the request is too long");
		return;
	}
	send_on(program->all);
}

static void pass_on(struct program *program, const struct wire_msg *msg)
{
	wire_relay(engine_out(program->all), msg);
	send_on(program->all);
}

static void become_watcher(struct program *program, const struct wire_msg *msg)
{
	program->all->watcher = program;
	pass_on(program, msg);
}

static void on_hello(struct program *program, struct wire_msg *msg)
{
	struct programs *all = program->all;
	struct wire_buf *out = channel_out(&program->channel);
	int64_t version = wire_int(msg);

	wire_str(msg); /* token: whoever reaches the socket may speak */
	if (program->said_hello || version != WIRE_VERSION ||
	    wire_int(msg) != ROLE_DOMAIN) {
		drop(program);
		return;
	}
	program->said_hello = 1;
	if (all->may_watch)
		wire_put(out, WIRE_WATCH);
	wire_put(out, WIRE_WELCOME, WIRE_INT(all->vmid), all->name);
	channel_send(&program->channel);
}

static void on_message(struct channel *channel, struct wire_msg *msg)
{
	struct program *program =
		container_of(channel, struct program, channel);

	if (!program->said_hello && msg->type != WIRE_HELLO) {
		drop(program);
		return;
	}
	switch (msg->type) {
	case WIRE_HELLO: on_hello(program, msg); break;
	case WIRE_TICKET_REQUEST:
	case WIRE_TICKET_INFO:
	case WIRE_TICKET_RELEASE:
	case WIRE_CLONE:
	case WIRE_LIST:
	case WIRE_KILL:
	case WIRE_STOP: pass_on_op(program, msg); break;
	case WIRE_METRIC: pass_on(program, msg); break;
	case WIRE_WATCH: become_watcher(program, msg); break;
	case WIRE_EVENT:
	case WIRE_REPORT:
	case WIRE_ANSWER:
	case WIRE_BYE:
		if (program->all->watcher == program)
			pass_on(program, msg);
		break;
	default: drop(program); break;
	}
}

/* ---- their connections ------------------------------------------------- */

static int is_held(const struct programs *programs)
{
	return programs->held || programs->full;
}

/* Refuses a connection with the message of an engine that cannot work. */
static void turn_away(int fd)
{
	struct wire_buf out = { 0 };
	ssize_t n = 0;

	if (!wire_put(&out, WIRE_FAULT, WIRE_INT(-EAGAIN),
		      "too many programs use the agent"))
		n = send(fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	wire_free(&out);
	(void)n; /* the program sees the end in any case */
	close(fd);
}

static void add_program(struct programs *programs, int fd)
{
	struct program *program = calloc(1, sizeof *program);

	if (!program || channel_open(&program->channel, programs->loop, fd,
				     on_message, on_ended)) {
		free(program);
		close(fd);
		return;
	}
	assert(programs->n < PROGRAMS_MAX);
	program->all = programs;
	program->ops_end = &program->ops;
	program->next = programs->first;
	program->self = &programs->first;
	if (program->next)
		program->next->self = &program->next;
	programs->first = program;
	programs->n++;
}

static void on_connection(struct loop_source *source, uint32_t events)
{
	struct programs *programs =
		container_of(source, struct programs, listener);
	int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (programs->n < PROGRAMS_MAX)
		add_program(programs, fd);
	else
		turn_away(fd);
}

/* Reads from all programs, or from none. */
static void update_reading(struct programs *programs)
{
	struct program *program, *next;
	int held = is_held(programs);

	loop_change(&programs->listener, held ? 0 : EPOLLIN);
	for (program = programs->first; program; program = next) {
		next = program->next;
		channel_pause(&program->channel, is_held(programs));
	}
}

void programs_hold(struct programs *programs, int held)
{
	if (programs->held == held)
		return;
	programs->held = held;
	update_reading(programs);
}

void programs_flow(struct programs *programs)
{
	int full = channel_out(programs->engine)->len > PROGRAMS_MAX_UNSENT;

	if (full == programs->full)
		return;
	programs->full = full;
	update_reading(programs);
}

void programs_drop(struct programs *programs)
{
	while (programs->first)
		drop(programs->first);
}

/* ---- from the engine --------------------------------------------------- */

void programs_answer(struct programs *programs, struct wire_msg *msg)
{
	struct program *program = programs->first;
	int64_t number = wire_int(msg), own = 0;

	while (program && !take_op(program, number, &own))
		program = program->next;
	if (!program)
		return; /* the program has ended since */
	wire_relay_op(channel_out(&program->channel), msg, own);
	channel_send(&program->channel);
}

void programs_tell_watcher(struct programs *programs, struct wire_msg *msg)
{
	struct program *watcher = programs->watcher;

	if (watcher) {
		wire_relay(channel_out(&watcher->channel), msg);
		channel_send(&watcher->channel);
	} else if (msg->type == WIRE_COMMAND) {
		wire_put(engine_out(programs), WIRE_ANSWER, wire_int(msg),
			 WIRE_INT(-EPERM),
			 "no program of this VM has a controller");
		channel_send(programs->engine);
	}
}

void programs_become(struct programs *programs, int64_t op, const char *address)
{
	struct program *program;
	int64_t own;

	programs->watcher = NULL;
	for (program = programs->first; program; program = program->next) {
		own = 0;
		if (op)
			take_op(program, op, &own);
		forget_ops(program);
		if (!program->said_hello)
			continue; /* WELCOME tells it */
		wire_put(channel_out(&program->channel), WIRE_BECOME,
			 WIRE_INT(programs->vmid), own, address);
		channel_send(&program->channel);
	}
}

/* ---- the socket -------------------------------------------------------- */

/* Makes the folders above path. */
static void make_folders(const char *path)
{
	char folder[PATH_MAX];
	char *slash;

	snprintf(folder, sizeof folder, "%s", path);
	for (slash = strchr(folder + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(folder, 0755); /* if that fails, bind() fails, too */
		*slash = '/';
	}
}

int programs_listen(struct programs *programs, struct loop *loop,
		    struct channel *engine, const char *path, struct err *err)
{
	int fd, code;

	memset(programs, 0, sizeof *programs);
	programs->loop = loop;
	programs->engine = engine;
	programs->held = 1;
	make_folders(path);
	unlink(path); /* left by an agent that was killed */
	/* for all users of the VM, which has one tenant */
	fd = unix_socket_listen(AT_FDCWD, path, 0666, PROGRAMS_MAX);
	if (fd < 0)
		return err_set(err, fd, "%s", path);
	code = loop_add(loop, &programs->listener, fd, 0, on_connection);
	if (!code)
		return 0;
	close(fd);
	return err_set(err, code, "%s", path);
}
