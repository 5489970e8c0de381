/*
 * relay - bytes on their way from one non-blocking socket to another
 *
 * A pipe is one direction. What it holds is in memory that is there only as
 * long, so that an idle connection costs none:
 *
 *	head	bytes that we made, to be written first; optional
 *	buf	bytes as they were read, in a block from a pool:
 *		[start, start + ready) may be written, [start + ready, end) is
 *		not judged yet, or is what comes after the message
 *
 * Who owns the pipe moves `ready`: a tunnel sets it to all there is, http to
 * what belongs to the message. A full block stops the reading, and so the
 * sender: that is the back-pressure.
 *
 * Bytes are moved within buf only by relay_read() in a block that is full at
 * its end, and by relay_compact(): slices of it are good until then.
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
	char *buf;	    /* NULL: nothing is in it */
	uint32_t start;	    /* first byte not written yet */
	uint32_t ready;	    /* bytes from there that may be written */
	uint32_t end;	    /* behind the last byte read */
	uint32_t head_len;  /* bytes of head */
	uint32_t head_sent; /* bytes of it that were written */
	char *head;	    /* NULL: none */
	bool eof;	    /* its source has ended */
	bool shut;	    /* and its sink was told so */
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
 * Makes room for so many bytes behind those that head has. Returns where they
 * are to be put, and head_len to be advanced by; NULL: out of memory.
 */
char *relay_grow_head(struct relay_pipe *pipe, size_t room);

/* Forgets head, written or not. */
void relay_drop_head(struct relay_pipe *pipe);

/* Moves what is there to the start of the block; slices of it are void. */
void relay_compact(struct relay_pool *pool, struct relay_pipe *pipe);

/* Forgets what was read and not written. */
void relay_drop_buf(struct relay_pool *pool, struct relay_pipe *pipe);

/* Forgets all, also that the source has ended. */
void relay_reset(struct relay_pool *pool, struct relay_pipe *pipe);

/* Tells the sink of the source's end, once all before it was written. */
void relay_pass_end(struct relay_pipe *pipe, int fd);

/* Bytes that wait to be written. */
static inline size_t relay_pending(const struct relay_pipe *pipe)
{
	return pipe->head_len - pipe->head_sent + pipe->ready;
}

/* Bytes that were read and are not ready. */
static inline size_t relay_unjudged(const struct relay_pipe *pipe)
{
	return pipe->end - pipe->start - pipe->ready;
}

/* Whether it can read without moving bytes. */
static inline bool relay_has_tail(const struct relay_pipe *pipe)
{
	return !pipe->eof && pipe->end < RELAY_BLOCK;
}

/* Whether it can read. */
static inline bool relay_has_room(const struct relay_pipe *pipe)
{
	return relay_has_tail(pipe) || (!pipe->eof && pipe->start);
}

#endif
