/*
 * qmp - a client of QEMU's machine protocol: commands, answers, events
 *
 *	qmp_open(&qmp, loop, fd, on_event, on_lost);
 *	qmp_call(&qmp, -1, on_stopped, vm, "stop", NULL);
 *	qmp_call(&qmp, -1, on_link, vm, "set_link", "{s:s,s:b}",
 *		 "name", "card0", "up", 0);
 *
 * Commands are sent one at a time, each when the one before it was answered,
 * since a descriptor belongs to the command that it arrives with. QEMU is not
 * trusted to answer: if it is silent for $GRIDCENTRIC_QMP_TIMEOUT, or sends
 * something else, the client is lost.
 */
#ifndef GC_ENGINE_VM_QMP_H
#define GC_ENGINE_VM_QMP_H

#include <jansson.h>

#include "base/err.h"
#include "base/loop.h"

#define QMP_TIMEOUT_MS 10000	    /* for one answer, by default */
#define QMP_MAX_LINE   (256 * 1024) /* bytes of an answer or event */

struct qmp_command;

struct qmp {
	struct loop_source source;
	struct loop_timer timer; /* a part of the limit of the first command */
	int parts;		 /* that are over */
	struct qmp_command *first, *last; /* queue; the first one is sent */
	int greeted;
	char *in; /* received, not yet a whole line */
	size_t in_len;
	/* An event; data is valid during the call. */
	void (*event)(struct qmp *qmp, const char *name, json_t *data);
	/* There will be no more answers; the owner calls qmp_close(). Called
	 * at most once. */
	void (*lost)(struct qmp *qmp, const struct err *err);
};

/*
 * An answer. err->code is 0: result is what the command returned, valid during
 * the call; or negative: err->text is "stop: QEMU's text".
 */
typedef void qmp_done(void *owner, json_t *result, const struct err *err);

/* Starts a client on a connected socket and takes ownership of fd. qmp must be
 * zeroed. Returns 0, or a negated errno: fd stays the caller's. */
int qmp_open(struct qmp *qmp, struct loop *loop, int fd,
	     void (*event)(struct qmp *, const char *, json_t *),
	     void (*lost)(struct qmp *, const struct err *));

/* Ends the client; no `done` is called any more. Harmless if it is not open. */
void qmp_close(struct qmp *qmp);

/*
 * Queues a command. fd goes with it and is closed when sent; -1: none.
 * arguments: a format of json_pack() with its values; NULL: none. If done is
 * NULL, a failure of the command loses the client.
 */
void qmp_call(struct qmp *qmp, int fd, qmp_done *done, void *owner,
	      const char *command, const char *arguments, ...);

#endif
