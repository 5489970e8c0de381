/*
 * channel - a message stream over a socket: wire frames and descriptors
 *
 * Both ends use it. Frames are written to channel_out() and leave with
 * channel_send(); what the socket does not take at once waits. Descriptors
 * travel with a frame over unix sockets.
 *
 * Instead of a socket it may be a device, as the port of a VM is, over which
 * no descriptors travel.
 */
#ifndef GC_WIRE_CHANNEL_H
#define GC_WIRE_CHANNEL_H

#include "base/loop.h"
#include "wire/wire.h"

#define CHANNEL_MAX_UNSENT (4 * 1024 * 1024) /* bytes; then it is cut */

struct channel {
	struct loop_source source;
	struct wire_buf out; /* frames; sent bytes are dropped */
	struct channel_fds *fds_first, *fds_last; /* to be sent */
	struct loop_timer retry; /* the kernel carries too many just now; or
				  * a device has failed: to tell it */
	int is_socket;
	int paused;  /* nothing is read */
	int held;    /* nothing is sent */
	int is_cut;  /* the peer takes nothing: it ends with -ENOBUFS */
	uint8_t *in; /* bytes of frames not complete yet */
	size_t in_len, in_cap;
	int got[2 * WIRE_MAX_FDS]; /* descriptors received, not taken */
	int ngot;
	int left;   /* of the message in hand */
	int lost;   /* some were dropped on receipt: there
		   * was no room for them here */
	int sender; /* pid of who sent the last bytes, where the socket names
		     * senders; else 0 */
	/* One message, in order. May close the channel as its last act: the
	 * message is gone then. */
	void (*message)(struct channel *channel, struct wire_msg *msg);
	/* The stream has ended (0) or failed (a negated errno). Calls
	 * channel_close(), or it is closed after. Called at most once. */
	void (*ended)(struct channel *channel, int err);
};

/*
 * Starts a channel on the connected socket fd, which becomes its own; it is
 * made non-blocking. channel must be zeroed or formerly closed. Returns 0 or
 * a negated errno; fd is the caller's still then.
 */
int channel_open(struct channel *channel, struct loop *loop, int fd,
		 void (*message)(struct channel *, struct wire_msg *),
		 void (*ended)(struct channel *, int));

/* Closes the socket and frees the buffers. `closed` may be NULL: loop.h. */
void channel_close(struct channel *channel,
		   void (*closed)(struct loop_source *));

/* True between open and close. */
int channel_is_open(const struct channel *channel);

/* Where frames are written. */
struct wire_buf *channel_out(struct channel *channel);

/*
 * As wire_end(), for a frame with which n descriptors go (at most
 * WIRE_MAX_FDS). They become the channel's and are closed when sent, also on
 * error.
 */
int channel_end_frame(struct channel *channel, const int *fds, int n);

/*
 * Sends what has been written, or as much as the socket takes. A failure is
 * told by `ended` at the next turn, so that senders need not look.
 */
void channel_send(struct channel *channel);

/*
 * Stops reading until it is called with 0. What is read already and not
 * handled waits, too, and is handled by that second call, which is not to come
 * from this channel's own handlers; messages are written and sent as ever.
 */
void channel_pause(struct channel *channel, int paused);

/* Stops sending until it is called with 0: what is written waits. */
void channel_hold(struct channel *channel, int held);

/* Handles what has arrived by now, without waiting for the loop to tell. */
void channel_receive(struct channel *channel);

/*
 * The next descriptor of the message in hand, now the caller's; -1 when it
 * has no more, or when this process has no room for it (EMFILE). What a
 * handler leaves is closed.
 */
int channel_take_fd(struct channel *channel);

/* In a child after fork(): frees memory; the descriptor is closed already. */
void channel_forget(struct channel *channel);

#endif
