/*
 * proxy/relay - bytes on their way from one non-blocking socket to another
 *
 * A pipe is one direction. Its memory exists only while it holds bytes, so an
 * idle connection costs none:
 *
 *	head	bytes that the proxy made, to be written first; optional
 *	buf	bytes as they were read, in a block from a pool:
 *		[start, start + ready) may be written, [start + ready, end) was
 *		not judged yet, or comes after the message
 *
 * The pipe's owner moves `ready`: a tunnel sets it to all there is, http to
 * what belongs to the message. A full block stops the reading, and in the end
 * the sender: that is the back-pressure.
 *
 * Bytes move within buf only by relay_read() in a block that is full at its
 * end, by relay_compact(), and by the owner among what it has not judged.
 */
#ifndef GC_PROXY_RELAY_H
#define GC_PROXY_RELAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	RELAY_BLOCK = 16 * 1024, /* bytes: the longest head, and some reads */
	RELAY_SPARE = 64,	 /* free blocks that a pool keeps */
};

/* Blocks that are free; the first bytes of each point to the next. */
struct relay_pool {
	void *first;
	unsigned nfree;
};

struct relay_pipe {
	char *buf;	    /* NULL: it holds nothing */
	uint32_t start;	    /* first byte not written yet */
	uint32_t ready;	    /* bytes from there that may be written */
	uint32_t end;	    /* behind the last byte read */
	uint32_t head_len;  /* bytes of head */
	uint32_t head_sent; /* bytes of it that were written */
	char *head;	    /* NULL: none */
	bool eof;	    /* its source has ended */
	bool shut; /* nothing more is written: its sink was told the end,
			     * or is deaf */
	bool deaf; /* its sink has failed; what comes is thrown away */
};

/* Frees the pool's spare blocks. */
void relay_pool_free(struct relay_pool *pool);

/*
 * Reads once. Returns the number of bytes, 0 at the end of the stream (then
 * eof is set), -EAGAIN (also without room), or another negated errno.
 */
ssize_t relay_read(struct relay_pool *pool, struct relay_pipe *pipe, int fd);

/*
 * Writes once: what is left of head, then what is ready. Gives buf back when
 * it is empty, but keeps head. Returns the number of bytes, -EAGAIN, or
 * another negated errno.
 */
ssize_t relay_write(struct relay_pool *pool, struct relay_pipe *pipe, int fd);

/*
 * Makes room for so many bytes behind those of head. Returns where they go;
 * the caller then advances head_len. NULL: out of memory.
 */
char *relay_grow_head(struct relay_pipe *pipe, size_t room);

/* Forgets the part of head that was written. */
void relay_trim_head(struct relay_pipe *pipe);

/* Forgets head, written or not. */
void relay_drop_head(struct relay_pipe *pipe);

/* Moves the content of buf to its start. */
void relay_compact(struct relay_pool *pool, struct relay_pipe *pipe);

/* Forgets what was read and not written. */
void relay_drop_buf(struct relay_pool *pool, struct relay_pipe *pipe);

/* Forgets everything, also that the source has ended. */
void relay_reset(struct relay_pool *pool, struct relay_pipe *pipe);

/* The sink has failed: forgets what waits for it and what is to come. */
void relay_deafen(struct relay_pool *pool, struct relay_pipe *pipe);

/* Tells the sink of the source's end, once everything before was written. */
void relay_pass_end(struct relay_pipe *pipe, int fd);

/* Bytes of head that wait to be written. */
static inline size_t relay_head_left(const struct relay_pipe *pipe)
{
	return pipe->head_len - pipe->head_sent;
}

/* Bytes that wait to be written. */
static inline size_t relay_pending(const struct relay_pipe *pipe)
{
	return relay_head_left(pipe) + pipe->ready;
}

/* Bytes that were read and are not ready. */
static inline size_t relay_unjudged(const struct relay_pipe *pipe)
{
	return pipe->end - pipe->start - pipe->ready;
}

/*
 * Whether it may read: there is room in the block, and what was made of bytes
 * read earlier (heads) is not waiting in bulk either.
 */
static inline bool relay_has_room(const struct relay_pipe *pipe)
{
	return !pipe->eof && relay_head_left(pipe) < RELAY_BLOCK &&
	       (pipe->end < RELAY_BLOCK || pipe->start);
}

#endif
