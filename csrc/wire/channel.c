/* channel - see channel.h */
#include "wire/channel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unix_socket.h"

#define READ_SIZE (16 * 1024) /* two of them stay below what malloc maps */
#define RETRY_MS  10 /* too many descriptors under way: until the next try */

_Static_assert(WIRE_MAX_FDS <= UNIX_SOCKET_MAX_FDS,
	       "a frame's descriptors go with one message");

/* Descriptors that leave with the byte at offset `at` of the out buffer. */
struct channel_fds {
	struct channel_fds *next;
	size_t at;
	int n;
	int fd[];
};

static void close_all(const int *fds, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void free_first_fds(struct channel *channel, int close_them)
{
	struct channel_fds *first = channel->fds_first;

	channel->fds_first = first->next;
	if (!channel->fds_first)
		channel->fds_last = NULL;
	if (close_them)
		close_all(first->fd, first->n);
	free(first);
}

static void free_buffers(struct channel *channel, int close_them)
{
	while (channel->fds_first)
		free_first_fds(channel, close_them);
	if (close_them)
		close_all(channel->got, channel->ngot);
	channel->ngot = 0;
	wire_free(&channel->out);
	free(channel->in);
	channel->in = NULL;
	channel->in_len = channel->in_cap = 0;
}

void channel_close(struct channel *channel,
		   void (*closed)(struct loop_source *))
{
	if (!channel_is_open(channel))
		return;
	loop_timer_stop(&channel->retry);
	loop_close(&channel->source, closed);
	free_buffers(channel, 1);
}

void channel_forget(struct channel *channel)
{
	free_buffers(channel, 0);
	channel->source.fd = -1;
	channel->source.loop = NULL;
}

int channel_is_open(const struct channel *channel)
{
	return channel->source.loop && channel->source.fd >= 0;
}

struct wire_buf *channel_out(struct channel *channel)
{
	return &channel->out;
}

int channel_end_frame(struct channel *channel, const int *fds, int n)
{
	struct wire_buf *out = &channel->out;
	struct channel_fds *node;
	int err = wire_end(out);

	assert(n <= WIRE_MAX_FDS);
	node = malloc(sizeof *node + (size_t)n * sizeof node->fd[0]);
	if (!err && !node) {
		out->len = out->frame; /* it would promise them */
		err = -ENOMEM;
	}
	if (err) {
		close_all(fds, n);
		free(node);
		return err;
	}
	node->next = NULL;
	node->at = out->frame;
	node->n = n;
	memcpy(node->fd, fds, (size_t)n * sizeof fds[0]);
	if (channel->fds_last)
		channel->fds_last->next = node;
	else
		channel->fds_first = node;
	channel->fds_last = node;
	return 0;
}

/* Drops the first `sent` bytes of the out buffer. */
static void drop_sent(struct channel *channel, size_t sent)
{
	struct wire_buf *out = &channel->out;
	struct channel_fds *fds;

	assert(sent <= out->len);
	memmove(out->data, out->data + sent, out->len - sent);
	out->len -= sent;
	for (fds = channel->fds_first; fds; fds = fds->next) {
		assert(fds->at >= sent); /* descriptors before it have left */
		fds->at -= sent;
	}
}

/* A port of a VM is a device: it takes bytes only. */
static ssize_t write_some(int fd, const void *data, size_t len)
{
	ssize_t n;

	do
		n = write(fd, data, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static void on_retry(struct loop_timer *timer)
{
	channel_send(container_of(timer, struct channel, retry));
}

static void end(struct channel *channel, int err)
{
	channel->ended(channel, channel->is_cut ? -ENOBUFS : err);
	channel_close(channel, NULL);
}

static void on_broken(struct loop_timer *timer)
{
	end(container_of(timer, struct channel, retry), -EPIPE);
}

/* Nothing more can be sent: the reader of a socket will see the end, and tell
 * the owner. */
static void break_off(struct channel *channel)
{
	if (channel->is_socket)
		shutdown(channel->source.fd, SHUT_RDWR);
	else
		loop_timer_start(channel->source.loop, &channel->retry, 0,
				 on_broken);
}

/* Watches for what it can handle now. */
static void watch(struct channel *channel)
{
	/* a peer that went is told once, instead of without end */
	uint32_t events = channel->paused ? EPOLLET : EPOLLIN;

	loop_change(
		&channel->source,
		events | (channel->out.len && !channel->held ? EPOLLOUT : 0));
}

void channel_send(struct channel *channel)
{
	struct wire_buf *out = &channel->out;
	size_t sent = 0;
	int err = 0;

	if (!channel_is_open(channel))
		return;
	while (sent < out->len && !channel->held) {
		struct channel_fds *fds = channel->fds_first;
		size_t until = out->len;
		ssize_t n;

		if (fds && fds->at > sent) {
			until = fds->at;
			fds = NULL;
		} else if (fds && fds->next) {
			until = fds->next->at;
		}
		if (channel->is_socket)
			n = unix_socket_send(channel->source.fd,
					     out->data + sent, until - sent,
					     fds ? fds->fd : NULL,
					     fds ? fds->n : 0);
		else
			n = write_some(channel->source.fd, out->data + sent,
				       until - sent);
		if (n < 0) {
			err = (int)n;
			break;
		}
		if (fds)
			free_first_fds(channel, 1);
		sent += (size_t)n;
	}
	if (sent)
		drop_sent(channel, sent);
	/* descriptors under way are limited for each user; the socket itself
	 * would take more, and tell so at once */
	if (err == -ETOOMANYREFS && out->len <= CHANNEL_MAX_UNSENT) {
		loop_change(&channel->source, EPOLLIN);
		loop_timer_start(channel->source.loop, &channel->retry,
				 RETRY_MS, on_retry);
		return;
	}
	channel->is_cut |= out->len > CHANNEL_MAX_UNSENT;
	if ((err && err != -EAGAIN) || channel->is_cut) {
		break_off(channel);
		return;
	}
	watch(channel);
}

void channel_hold(struct channel *channel, int held)
{
	channel->held = held;
	channel_send(channel);
}

int channel_take_fd(struct channel *channel)
{
	int fd;

	if (channel->left == 0)
		return -1;
	assert(channel->left > 0 && channel->ngot >= channel->left);
	fd = channel->got[0];
	channel->left--;
	channel->ngot--;
	memmove(channel->got, channel->got + 1,
		(size_t)channel->ngot * sizeof channel->got[0]);
	return fd;
}

/* Keeps the descriptors of received bytes; closes those that are too many. */
static int keep_fds(struct channel *channel, const struct unix_socket_fds *got)
{
	int room = 2 * WIRE_MAX_FDS - channel->ngot;
	int n = got->n < room ? got->n : room;

	channel->lost |= got->lost;
	memcpy(channel->got + channel->ngot, got->fd,
	       (size_t)n * sizeof got->fd[0]);
	channel->ngot += n;
	close_all(got->fd + n, got->n - n);
	return n < got->n ? -EPROTO : 0;
}

static ssize_t read_some(int fd, void *data, size_t size)
{
	ssize_t n;

	do
		n = read(fd, data, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Reads once. Returns bytes, 0 at the end, or a negated errno. */
static ssize_t receive(struct channel *channel)
{
	struct unix_socket_fds got = { .n = 0 };
	size_t room;
	ssize_t n;
	int err;

	if (channel->in_cap - channel->in_len < READ_SIZE) {
		size_t cap = channel->in_len + 2 * READ_SIZE;
		uint8_t *in = realloc(channel->in, cap);

		if (!in)
			return -ENOMEM;
		channel->in = in;
		channel->in_cap = cap;
	}
	room = channel->in_cap - channel->in_len;
	if (channel->is_socket)
		n = unix_socket_receive(channel->source.fd,
					channel->in + channel->in_len, room,
					&got);
	else
		n = read_some(channel->source.fd, channel->in + channel->in_len,
			      room);
	err = keep_fds(channel, &got);
	if (err || n < 0)
		return err ? err : n;
	channel->sender = got.sender;
	channel->in_len += (size_t)n;
	return n;
}

/* Whether the descriptors of the message are here; those that were lost are
 * its last ones, and become -1. */
static int has_fds(struct channel *channel, const struct wire_msg *msg)
{
	while (channel->lost && channel->ngot < msg->nfds)
		channel->got[channel->ngot++] = -1;
	if (msg->nfds)
		channel->lost = 0;
	return channel->ngot >= msg->nfds;
}

/* Hands out the complete frames. Returns 0, or -EPROTO. */
static int deliver(struct channel *channel)
{
	struct wire_msg msg;
	size_t used = 0;
	int n = 0;

	while (channel_is_open(channel) && !channel->paused &&
	       (n = wire_decode(channel->in + used, channel->in_len - used,
				&msg)) > 0) {
		if (!has_fds(channel, &msg)) {
			n = -EPROTO;
			break;
		}
		used += (size_t)n;
		assert(used <= channel->in_len && channel->ngot >= msg.nfds);
		channel->left = msg.nfds;
		channel->message(channel, &msg);
		while (channel_is_open(channel) && channel->left) {
			int fd = channel_take_fd(channel);

			close_all(&fd, 1);
		}
	}
	if (!channel_is_open(channel))
		return 0;
	if (used) /* else there may be no buffer yet */
		memmove(channel->in, channel->in + used,
			channel->in_len - used);
	channel->in_len -= used;
	return n;
}

void channel_receive(struct channel *channel)
{
	ssize_t n;
	int err;

	if (!channel_is_open(channel))
		return;
	n = receive(channel);
	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		end(channel, (int)n);
		return;
	}
	err = deliver(channel);
	if (err < 0 && channel_is_open(channel))
		end(channel, err);
}

void channel_pause(struct channel *channel, int paused)
{
	int err = 0;

	channel->paused = paused;
	if (!channel_is_open(channel))
		return;
	watch(channel);
	if (!paused)
		err = deliver(channel);
	if (err < 0 && channel_is_open(channel))
		end(channel, err);
}

static void on_ready(struct loop_source *source, uint32_t events)
{
	struct channel *channel = container_of(source, struct channel, source);

	if (events & EPOLLOUT)
		channel_send(channel);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !channel->paused)
		channel_receive(channel);
}

int channel_open(struct channel *channel, struct loop *loop, int fd,
		 void (*message)(struct channel *, struct wire_msg *),
		 void (*ended)(struct channel *, int))
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (fstat(fd, &st) < 0 || flags < 0 ||
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	memset(channel, 0, sizeof *channel);
	channel->is_socket = S_ISSOCK(st.st_mode);
	channel->message = message;
	channel->ended = ended;
	return loop_add(loop, &channel->source, fd, EPOLLIN, on_ready);
}
