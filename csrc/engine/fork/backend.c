/*
 * engine/fork/backend - clones are forked from the live process
 *
 * The image is the process itself: a snapshot asks what it listens on
 * (PREPARE, PREPARED), a spawn hands it the descriptors of one clone and has
 * it fork (FORK, FORKED). The rest is the forked process's own: it repairs
 * itself and says READY on its channel.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/core/backend.h"
#include "engine/core/client.h"
#include "engine/core/domain.h"
#include "engine/fork/lifeline.h"
#include "engine/host/listeners.h"

/* b->data: the images that wait for PREPARED. */
static struct image *waiting(struct backend *b, int64_t number)
{
	struct image *image = b->data;

	while (image && image->number != number)
		image = image->next;
	return image;
}

static void stop_waiting(struct backend *b, const struct image *image)
{
	struct image **at = (struct image **)&b->data;

	while (*at && *at != image)
		at = &(*at)->next;
	if (*at)
		*at = image->next;
}

static int fork_snapshot(struct backend *b, struct image *image,
			 struct err *err)
{
	struct client *client = image->source->client;

	if (!client)
		return err_say(err, -GC_EDIED,
			       "the program has closed its channel");
	image->number = ++b->engine->last_number;
	image->next = b->data;
	b->data = image;
	wire_put(channel_out(&client->channel), WIRE_PREPARE,
		 WIRE_INT(image->number));
	channel_send(&client->channel);
	return 0;
}

static void fork_drop(struct backend *b, struct image *image)
{
	stop_waiting(b, image);
}

/* Copies of what goes into the FORK message; they are the channel's then. */
static int copy_fds(struct engine *engine, struct domain *domain, int *fds)
{
	const struct lease *lease = domain->lease;
	int i, n = 0;

	fds[n++] = domain->far_end;
	domain->far_end = -1;
	fds[n++] = lifeline_open(engine->lifeline[0]);
	for (i = 0; i < lease->nsockets; i++)
		fds[n++] = fcntl(lease->sockets[i].fd, F_DUPFD_CLOEXEC, 3);
	for (i = 0; i < n; i++)
		if (fds[i] < 0)
			break;
	if (i == n)
		return n;
	while (n-- > 0)
		if (fds[n] >= 0)
			close(fds[n]);
	return -EMFILE;
}

static int fork_spawn(struct backend *b, struct image *image,
		      struct domain *domain, const struct placement *at,
		      struct err *err)
{
	int fds[2 + ADDRESS_MAX_LISTENERS], i, n, code;
	struct client *client = image->source->client;
	struct wire_buf *out;

	if (!client)
		return err_say(err, -GC_EDIED,
			       "the program has closed its channel");
	n = copy_fds(b->engine, domain, fds);
	if (n < 0)
		return err_set(err, n, "clone %d", domain->vmid);
	out = channel_out(&client->channel);
	wire_begin(out, WIRE_FORK, n);
	wire_put_int(out, domain->vmid);
	wire_put_int(out, domain->op);
	wire_put_text(out, domain->token);
	wire_put_text(out, domain->lease->ip);
	for (i = 0; i < domain->lease->nsockets; i++) {
		wire_put_int(out, domain->lease->sockets[i].is.family);
		wire_put_int(out, domain->lease->sockets[i].is.type);
		wire_put_int(out, domain->lease->sockets[i].is.port);
	}
	code = channel_end_frame(&client->channel, fds, n);
	if (code)
		return err_set(err, code, "clone %d", domain->vmid);
	channel_send(&client->channel);
	return 0;
}

static void on_prepared(struct backend *b, struct domain *from,
			struct wire_msg *msg)
{
	struct image *image = waiting(b, wire_int(msg));
	struct err err = { 0 };

	if (!image || image->source != from)
		return;
	err.code = (int)wire_int(msg);
	wire_copy(msg, err.text, sizeof err.text);
	if (!err.code)
		image->nlisteners = listeners_read(msg, image->listeners, &err);
	stop_waiting(b, image);
	b->snapshotted(image, &err);
}

static void on_forked(struct backend *b, struct domain *from,
		      struct wire_msg *msg)
{
	struct domain *domain = domain_find(b->engine, (int)wire_int(msg));
	int pid = (int)wire_int(msg);
	struct err err = { 0 };

	/* of a clone that this one was asked for, not any other */
	if (!domain || !from->pid || domain->parent_pid != from->pid)
		return;
	if (pid < 0) {
		err.code = pid;
		wire_copy(msg, err.text, sizeof err.text);
	} else if (pid == 0) {
		err_set(&err, -GC_EPROTO, "clone %d", domain->vmid);
	}
	b->spawned(domain, pid, &err);
}

static void fork_message(struct backend *b, struct domain *from,
			 struct wire_msg *msg)
{
	if (msg->type == WIRE_PREPARED)
		on_prepared(b, from, msg);
	else if (msg->type == WIRE_FORKED)
		on_forked(b, from, msg);
}

static void fork_gone(struct backend *b, struct domain *domain)
{
	struct image *image, *next;

	for (image = b->data; image; image = next) {
		next = image->next;
		if (image->source == domain)
			stop_waiting(b, image);
	}
}

const struct backend_ops backend_fork = {
	.is_live = 1,
	.snapshot = fork_snapshot,
	.spawn = fork_spawn,
	.drop = fork_drop,
	.message = fork_message,
	.gone = fork_gone,
};
