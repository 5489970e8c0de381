/* proxy/relay - see proxy/relay.h */
#include "proxy/relay.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void *take_block(struct relay_pool *pool)
{
	void *block = pool->first;

	assert(!block == !pool->nfree);
	if (!block)
		return malloc(RELAY_BLOCK);
	memcpy(&pool->first, block, sizeof pool->first);
	pool->nfree--;
	return block;
}

static void give_block(struct relay_pool *pool, void *block)
{
	if (!block)
		return;
	assert(pool->nfree <= RELAY_SPARE);
	if (pool->nfree == RELAY_SPARE) {
		free(block);
		return;
	}
	memcpy(block, &pool->first, sizeof pool->first);
	pool->first = block;
	pool->nfree++;
}

void relay_pool_free(struct relay_pool *pool)
{
	while (pool->first)
		free(take_block(pool));
}

/* What holds between any two calls. */
static void check_pipe(const struct relay_pipe *pipe)
{
	assert(pipe->start + pipe->ready <= pipe->end);
	assert(pipe->end <= RELAY_BLOCK);
	assert(pipe->buf || !pipe->end);
	assert(pipe->head_sent <= pipe->head_len);
	assert(pipe->head || !pipe->head_len);
	assert(!pipe->deaf || (pipe->shut && !relay_pending(pipe)));
}

void relay_drop_buf(struct relay_pool *pool, struct relay_pipe *pipe)
{
	give_block(pool, pipe->buf);
	pipe->buf = NULL;
	pipe->start = pipe->ready = pipe->end = 0;
}

void relay_compact(struct relay_pool *pool, struct relay_pipe *pipe)
{
	if (pipe->start == pipe->end) {
		relay_drop_buf(pool, pipe);
	} else if (pipe->start) {
		pipe->end -= pipe->start;
		memmove(pipe->buf, pipe->buf + pipe->start, pipe->end);
		pipe->start = 0;
	}
}

ssize_t relay_read(struct relay_pool *pool, struct relay_pipe *pipe, int fd)
{
	ssize_t n;

	check_pipe(pipe);
	assert(!pipe->eof);
	if (pipe->end == RELAY_BLOCK)
		relay_compact(pool, pipe);
	if (pipe->end == RELAY_BLOCK)
		return -EAGAIN;
	if (!pipe->buf)
		pipe->buf = take_block(pool);
	if (!pipe->buf)
		return -ENOMEM;
	do
		n = recv(fd, pipe->buf + pipe->end, RELAY_BLOCK - pipe->end, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		n = -errno;
	if (n > 0)
		pipe->end += (uint32_t)n;
	else if (!pipe->end)
		relay_drop_buf(pool, pipe);
	if (!n)
		pipe->eof = true;
	return n;
}

ssize_t relay_write(struct relay_pool *pool, struct relay_pipe *pipe, int fd)
{
	uint32_t head_left = (uint32_t)relay_head_left(pipe);
	struct iovec parts[2];
	struct msghdr message = { .msg_iov = parts };
	uint32_t from_head;
	ssize_t n;

	check_pipe(pipe);
	assert(relay_pending(pipe) && !pipe->shut);
	if (head_left)
		parts[message.msg_iovlen++] =
			(struct iovec){ pipe->head + pipe->head_sent,
					head_left };
	if (pipe->ready)
		parts[message.msg_iovlen++] =
			(struct iovec){ pipe->buf + pipe->start, pipe->ready };
	do
		n = sendmsg(fd, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	from_head = (size_t)n < head_left ? (uint32_t)n : head_left;
	pipe->head_sent += from_head;
	pipe->start += (uint32_t)n - from_head;
	pipe->ready -= (uint32_t)n - from_head;
	if (pipe->start == pipe->end)
		relay_drop_buf(pool, pipe);
	check_pipe(pipe);
	return n;
}

char *relay_grow_head(struct relay_pipe *pipe, size_t room)
{
	char *head = realloc(pipe->head, pipe->head_len + room);

	if (!head)
		return NULL;
	pipe->head = head;
	return head + pipe->head_len;
}

void relay_trim_head(struct relay_pipe *pipe)
{
	pipe->head_len -= pipe->head_sent;
	if (pipe->head_sent && pipe->head_len)
		memmove(pipe->head, pipe->head + pipe->head_sent,
			pipe->head_len);
	pipe->head_sent = 0;
}

void relay_drop_head(struct relay_pipe *pipe)
{
	free(pipe->head);
	pipe->head = NULL;
	pipe->head_len = pipe->head_sent = 0;
}

void relay_reset(struct relay_pool *pool, struct relay_pipe *pipe)
{
	relay_drop_head(pipe);
	relay_drop_buf(pool, pipe);
	pipe->eof = pipe->shut = pipe->deaf = false;
}

void relay_deafen(struct relay_pool *pool, struct relay_pipe *pipe)
{
	relay_drop_head(pipe);
	relay_drop_buf(pool, pipe);
	pipe->shut = pipe->deaf = true;
	check_pipe(pipe);
}

void relay_pass_end(struct relay_pipe *pipe, int fd)
{
	if (!pipe->eof || pipe->shut || relay_pending(pipe))
		return;
	/* fails only where the connection is gone, which epoll reports */
	shutdown(fd, SHUT_WR);
	pipe->shut = true;
}
