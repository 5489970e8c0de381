/*
 * qmp - a client of QEMU's machine protocol: commands, answers, events
 *
 *	qmp_open(&qmp, loop, fd, on_event, on_lost);
 *	qmp_call(&qmp, -1, on_stopped, vm, "stop", NULL);
 *	qmp_call(&qmp, -1, on_link, vm, "set_link", "{s:s,s:b}",
 *		 "name", "card0", "up", 0);
 *
 * Commands are sent one after the other, each when the one before it was
 * answered, since a descriptor belongs to the command it arrives with. QEMU is
 * not trusted to answer: one that says nothing for $GRIDCENTRIC_QMP_TIMEOUT, or
 * what is no answer, is lost.
 */
#ifndef GC_ENGINE_VM_QMP_H
#define GC_ENGINE_VM_QMP_H

#include <jansson.h>

#include "base/err.h"
#include "base/loop.h"

#define QMP_TIMEOUT_MS 10000	    /* for one answer, where not set */
#define QMP_MAX_LINE   (256 * 1024) /* bytes of an answer or event */

struct qmp_command;

struct qmp {
	struct loop_source source;
	struct loop_timer timer; /* a part of the limit of the first command */
	int parts;		 /* that are over */
	struct qmp_command *first, *last; /* the first one was sent */
	int greeted;
	char *in; /* what has come of a line */
	size_t in_len;
	/* data is good for the call */
	void (*event)(struct qmp *qmp, const char *name, json_t *data);
	/* No answer is to be expected any more; qmp_close() is the owner's.
	 * Called at most once. */
	void (*lost)(struct qmp *qmp, const struct err *err);
};

/*
 * An answer. err->code 0: result is what the command returned, good for the
 * call; else err tells what was wrong: "stop: the text of QEMU".
 */
typedef void qmp_done(void *owner, json_t *result, const struct err *err);

/* Starts on a connected socket, which becomes its own. qmp must be zeroed.
 * Returns 0 or a negated errno; fd is the caller's still then. */
int qmp_open(struct qmp *qmp, struct loop *loop, int fd,
	     void (*event)(struct qmp *, const char *, json_t *),
	     void (*lost)(struct qmp *, const struct err *));

/* Ends it; nobody is answered any more. Harmless when it is not open. */
void qmp_close(struct qmp *qmp);

/*
 * Queues a command. fd travels with it and is closed when sent; -1: none.
 * arguments: a format of json_pack() with its values, NULL: none. done may be
 * NULL: a failure of such a command loses the client.
 */
void qmp_call(struct qmp *qmp, int fd, qmp_done *done, void *owner,
	      const char *command, const char *arguments, ...);

#endif
