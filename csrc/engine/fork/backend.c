/*
 * fork/backend - clones are forked from the live process
 *
 * The image is the process itself: a snapshot asks what it listens on (PREPARE,
 * PREPARED), a spawn hands it the descriptors of one clone and has it fork
 * (FORK, FORKED). The forked process does the rest: it repairs itself and says
 * HELLO and READY on its channel.
 *
 * A process forks the clones that it was asked for one after the other. The turn
 * of each comes when the one before it is made, or is given up.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/core/client.h"
#include "engine/core/clone.h"
#include "engine/core/domain.h"
#include "engine/fork/fork.h"

/* b->data: the images that wait for PREPARED. */
TAILQ_HEAD(image_list, image);

static struct image_list *waiting(struct backend *b)
{
	struct image_list *list = b->data;

	if (!list) {
		list = b->data = malloc(sizeof *list);
		if (list)
			TAILQ_INIT(list);
	}
	return list;
}

static struct image *find_image(const struct backend *b, int64_t number)
{
	const struct image_list *list = b->data;
	struct image *image;

	if (list)
		TAILQ_FOREACH(image, list, link)
			if (image->number == number)
				return image;
	return NULL;
}

/* ---- the image ---------------------------------------------------------- */

static int fork_snapshot(struct backend *b, struct image *image,
			 struct err *err)
{
	struct client *client = image->source->client;

	if (!client)
		return err_say(err, -GC_EDIED,
			       "the program has closed its channel");
	assert(!image->number);
	if (!waiting(b))
		return err_set(err, -ENOMEM, "clone");
	image->number = ++b->engine->last_number;
	TAILQ_INSERT_TAIL(waiting(b), image, link);
	wire_put(channel_out(&client->channel), WIRE_PREPARE,
		 WIRE_INT(image->number));
	channel_send(&client->channel);
	return 0;
}

/* Whether it waits or not. */
static void fork_drop(struct backend *b, struct image *image)
{
	if (find_image(b, image->number) == image)
		TAILQ_REMOVE(waiting(b), image, link);
}

static void on_prepared(struct backend *b, struct domain *from,
			struct wire_msg *msg)
{
	struct image *image = find_image(b, wire_int(msg));
	struct err err = { 0 };

	if (!image || image->source != from)
		return;
	err.code = (int)wire_int(msg);
	wire_copy(msg, err.text, sizeof err.text);
	if (!err.code) {
		int n = listeners_read(msg, image->listeners, &err);

		image->nlisteners = n > 0 ? n : 0;
	}
	TAILQ_REMOVE(waiting(b), image, link);
	image->number = 0;
	image->done(image, &err);
}

/* ---- clones ------------------------------------------------------------- */

/* Begins the next clone of a source that is not making one. */
static void begin_next(struct engine *engine, const struct domain *source)
{
	struct domain *domain, *next = NULL;

	TAILQ_FOREACH(domain, &engine->domains, link) {
		if (domain->parent != source)
			continue;
		if (domain->spawn == SPAWN_BEGUN)
			return;
		if (domain->spawn == SPAWN_WAITING && !next)
			next = domain;
	}
	if (next)
		clone_begun(next);
}

static void close_fds(const int *fds, int n)
{
	while (n-- > 0)
		close(fds[n]);
}

/* Makes what goes with the FORK message besides the channel: the lifeline, and
 * copies of the sockets. Returns their number or a negated errno. */
static int make_fds(const struct domain *domain, int *fds)
{
	const struct lease *lease = domain->lease;
	struct host *host = domain->host;
	int n = 0, fd;

	assert(lease);
	fd = host->ops->open_lifeline(host);
	while (fd >= 0) {
		fds[n++] = fd;
		if (n > lease->nsockets)
			return n;
		fd = fcntl(lease->sockets[n - 1].fd, F_DUPFD_CLOEXEC, 3);
		fd = fd < 0 ? -errno : fd;
	}
	close_fds(fds, n);
	return fd;
}

static int send_fork(struct domain *domain, struct client *source,
		     const int *fds, int n)
{
	const struct lease *lease = domain->lease;
	struct wire_buf *out = channel_out(&source->channel);
	int i, code;

	wire_begin(out, WIRE_FORK, n);
	wire_put_int(out, domain->vmid);
	wire_put_int(out, domain->op);
	wire_put_text(out, domain->token);
	wire_put_text(out, lease->ip);
	for (i = 0; i < lease->nsockets; i++) {
		wire_put_int(out, lease->sockets[i].is.family);
		wire_put_int(out, lease->sockets[i].is.type);
		wire_put_int(out, lease->sockets[i].is.port);
	}
	code = channel_end_frame(&source->channel, fds, n);
	if (!code)
		channel_send(&source->channel);
	return code;
}

static int fork_spawn(struct backend *b, struct image *image,
		      struct domain *domain, struct err *err)
{
	struct client *source = image->source->client;
	int fds[2 + MAX_LISTENERS], n;

	assert(domain->parent == image->source && !domain->client);
	if (!source)
		return err_say(err, -GC_EDIED,
			       "the program has closed its channel");
	if (domain->host != image->source->host)
		return err_say(err, -EXDEV,
			       "clone %d: a process on %s cannot be cloned "
			       "to %s",
			       domain->vmid, image->source->host->name,
			       domain->host->name);
	if (domain_open_channel(domain, &fds[0], err))
		return err->code;
	do
		n = make_fds(domain, fds + 1);
	while (host_relieve(&b->engine->hosts, n));
	if (n < 0)
		close(fds[0]);
	else
		n = send_fork(domain, source, fds, n + 1);
	if (n < 0)
		return err_set(err, n, "clone %d", domain->vmid);
	begin_next(b->engine, image->source);
	return 0;
}

static void on_forked(struct backend *b, struct domain *from,
		      struct wire_msg *msg)
{
	struct domain *domain = domain_find(b->engine, (int)wire_int(msg));
	int pid = (int)wire_int(msg);
	struct err err = { 0 };

	/* of a clone that this one was asked for, not any other */
	if (!domain || domain->parent != from || domain->spawn < SPAWN_WAITING)
		return;
	domain->spawn = SPAWN_DONE;
	if (pid > 1) {
		domain_claim_process(domain, pid, from->client);
	} else {
		err_set(&err, pid < 0 ? pid : -GC_EPROTO, "clone %d",
			domain->vmid);
		if (pid < 0)
			wire_copy(msg, err.text, sizeof err.text);
		domain_fail(domain, &err);
	}
	begin_next(b->engine, from);
}

static void fork_message(struct backend *b, struct domain *from,
			 struct wire_msg *msg)
{
	if (msg->type == WIRE_PREPARED)
		on_prepared(b, from, msg);
	else if (msg->type == WIRE_FORKED)
		on_forked(b, from, msg);
}

static void fork_forget(struct backend *b, struct domain *domain)
{
	const struct image_list *list = b->data;
	struct image *image, *next;

	for (image = list ? TAILQ_FIRST(list) : NULL; image; image = next) {
		next = TAILQ_NEXT(image, link);
		if (image->source == domain)
			fork_drop(b, image);
	}
	/* given up before it was made: the turn of the next has come */
	if (domain->parent && domain->spawn == SPAWN_BEGUN)
		begin_next(b->engine, domain->parent);
}

static void fork_close(struct backend *b)
{
	free(b->data);
	b->data = NULL;
}

const struct backend_ops backend_fork = {
	.clones = "processes",
	.order = WIRE_START,
	.is_live = 1,
	.late_because = "the program did not return to its event loop",
	.start = fork_start_program,
	.snapshot = fork_snapshot,
	.spawn = fork_spawn,
	.drop = fork_drop,
	.message = fork_message,
	.forget = fork_forget,
	.close = fork_close,
};
