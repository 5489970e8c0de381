/*
 * wire - the messages of the channel, encoded and decoded, nothing else
 *
 * A frame: u32 length of what follows, u8 version, u8 type, u8 descriptors
 * that travel with it, then the fields; numbers little-endian. A field is an
 * int (i: 8 bytes) or a string (s: u32 length, bytes, any). Which fields a
 * type has, its schema says: "is|is" is an int, a string, then (int, string)
 * any number of times. wire_decode() checks a frame against its schema to the
 * last byte, so that its reader needs no checks of its own.
 *
 * To add a message: one line in WIRE_MESSAGES.
 */
#ifndef GC_WIRE_WIRE_H
#define GC_WIRE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define WIRE_VERSION   1
#define WIRE_HEADER    7	     /* bytes before the fields */
#define WIRE_MAX_FRAME (1024 * 1024) /* bytes, length field included */
#define WIRE_MAX_FDS   64	     /* descriptors with one message */

/*
 * name, number, schema. Where an operation is named (op), the answer bears
 * the number that the request gave. err is 0 or a negative code of err.h.
 *
 * Who sends what: D a domain, O the owner (the program itself, or gcscale),
 * C a control client (gcscale status ...), E the engine, A the agent, which in
 * a VM speaks for all programs there.
 */
/* clang-format off */
#define WIRE_MESSAGES(X) \
	/* any -> E, first: version, token, role, pid */ \
	X(HELLO,          1, "isii") \
	/* E -> any: vmid, engine name */ \
	X(WELCOME,        2, "is") \
	/* D O -> E: op, max CPUs, min VMs, min CPUs per VM, timeout ms */ \
	X(TICKET_REQUEST, 3, "iiiii") \
	/* D O -> E: op, ticket */ \
	X(TICKET_INFO,    4, "is") \
	X(TICKET_RELEASE, 5, "is") \
	/* E -> D O: op, err, text, ticket, status, cpus, vms, min CPUs/VM */ \
	X(TICKET,         6, "iissiiii") \
	/* D O -> E: op, ticket, listeners (family, type, port, backlog) */ \
	X(CLONE,          7, "is|iiii") \
	/* E -> D O: op, err, text, vmids that exist now */ \
	X(CLONED,         8, "iis|i") \
	/* D O -> E: op */ \
	X(LIST,           9, "i") \
	/* E -> D O: op, (vmid, pid, state, host, endpoints "port=ip:port ...") */ \
	X(DOMAINS,       10, "i|iiiss") \
	/* D O -> E: op, vmid */ \
	X(KILL,          11, "ii") \
	/* E -> D O C: op, err, text */ \
	X(DONE,          12, "iis") \
	/* E -> D: job; tell me your listeners, you are to be cloned */ \
	X(PREPARE,       13, "i") \
	/* D -> E: job, err, text, listeners (family, type, port, backlog) */ \
	X(PREPARED,      14, "iis|iiii") \
	/* E -> D: fork one: vmid, op of the asker's CLONE where that is the
	 * receiver (else 0), token, address, (family, type, port);
	 * descriptors: channel, lifeline, one for each listener */ \
	X(FORK,          15, "iiss|iii") \
	/* D -> E: vmid, pid or negative error, text */ \
	X(FORKED,        16, "iis") \
	/* D -> E, the clone itself: vmid, err, text; of a VM's agent a text
	 * without an error tells of its post-clone */ \
	X(READY,         17, "iis") \
	/* D O -> E: pid, wait status, of a child that was reaped;
	 * A -> E: of its program, before the VM ends for that; pid 0: after
	 * STOP, nothing in the VM needs more time */ \
	X(EXITED,        18, "ii") \
	/* E -> O: this pid is a clone of a clone: it is the receiver's to \
	 * reap when its parent has ended */ \
	X(ADOPT,         19, "i") \
	/* O -> E: op, port, directory, (program, arguments ...) */ \
	X(START,         20, "iis|s") \
	/* O -> E: op, vmid, grace ms: end a domain, gently first;
	 * E -> A: end the program, and the VM with it */ \
	X(STOP,          21, "iii") \
	/* E -> O: vmid, state, pid, wait status, address, port, ticket, text */ \
	X(DOMAIN,        22, "iiiisiss") \
	/* O -> E: what, vmid, text, JSON: for the ledger */ \
	X(EVENT,         23, "siss") \
	/* O -> E: JSON: what `gcscale status` shows of the controller */ \
	X(REPORT,        24, "s") \
	/* C -> E -> O: op, JSON: a command for the controller */ \
	X(COMMAND,       25, "is") \
	/* O -> E -> C: op, err, JSON or text */ \
	X(ANSWER,        26, "iis") \
	/* D -> E: name, value (wire_from_double()): a metric of the program */ \
	X(METRIC,        27, "si") \
	/* O -> E: a normal end: end all, gently, within grace ms */ \
	X(BYE,           28, "i") \
	/* C -> E: op */ \
	X(STATUS,        29, "i") \
	/* E -> C: op, name, CPUs, of these free, last REPORT, domains (vmid,
	 * pid, state, host, endpoints) */ \
	X(STATE,         30, "isiis|iiiss") \
	/* E -> O: err, text: why the engine cannot work */ \
	X(FAULT,         31, "is") \
	/* E -> O: vmid, name, value: that METRIC came of this domain */ \
	X(DOMAIN_METRIC, 32, "isi") \
	/* O -> E: op, port, image, memory MiB, vCPUs, accelerator ("auto",
	 * "kvm", "tcg"), network ("user", "tap"), 1: it has clones of its own
	 * accord and a network with them, clones that are kept half made:
	 * start a VM as domain 0 */ \
	X(START_VM,      33, "iisiissii") \
	/* E -> A: snapshot (0: booting), vmid, op of the CLONE that its own
	 * program asked for (0: none), host name, CLOCK_REALTIME in ns, random
	 * bytes, port, then for each network card: MAC, address/prefix,
	 * gateway ("": none). Who you are now: go on */ \
	X(IDENTITY,      34, "iiisisi|sss") \
	/* A -> its programs: this is a clone now: vmid, op of the receiver's
	 * own CLONE (0: none), address */ \
	X(BECOME,        35, "iis") \
	/* a program in a VM -> A -> E: it scales itself, and is to be told of
	 * its descendants as an owner would be.
	 * A -> program, before WELCOME: this VM may scale itself */ \
	X(WATCH,         36, "") \
	/* E -> O: vmid, the last bytes of a VM's console */ \
	X(CONSOLE,       37, "is") \
	/* E -> A, A -> E: number: are you there, and what time is it? */ \
	X(PING,          38, "i") \
	/* the answer: the same number, CLOCK_REALTIME in ns */ \
	X(PONG,          39, "ii")
/* clang-format on */

enum wire_type {
#define X(name, number, schema) WIRE_##name = number,
	WIRE_MESSAGES(X)
#undef X
};

/* What a peer says it is, in HELLO. */
enum wire_role {
	ROLE_INSIDE,  /* a program that owns its engine: vmid 0 */
	ROLE_OUTSIDE, /* a controller that owns its engine: no domain */
	ROLE_DOMAIN,  /* a domain that the engine started */
	ROLE_CONTROL, /* a client of the control socket */
	ROLE_AGENT,   /* of a VM, for its programs; its token is its wire */
};

/* A slice of somebody's buffer. */
struct wire_str {
	const char *p;
	size_t len;
};

/* A message being read: fields are taken in order. */
struct wire_msg {
	enum wire_type type;
	int nfds;		 /* descriptors that came with it */
	const uint8_t *at, *end; /* fields not read yet */
};

/* A growing buffer of encoded frames. Zeroed to start with. */
struct wire_buf {
	uint8_t *data;
	size_t len, cap;
	size_t frame; /* where the frame being written starts */
	int failed;   /* out of memory, or a frame grew too long */
};

/*
 * Looks at the first frame in len bytes of data. Returns the frame's length
 * and fills msg; 0 when more bytes are needed; -EPROTO when it is none (wrong
 * version, type, length, or fields that do not fit the schema).
 */
int wire_decode(const void *data, size_t len, struct wire_msg *msg);

/* The next field. The schema was checked: asking for another kind, or for
 * more than there is, is a bug and ends the process. */
int64_t wire_int(struct wire_msg *msg);
struct wire_str wire_str(struct wire_msg *msg);

/* A double as an int field, and back: bit by bit. */
int64_t wire_from_double(double value);
double wire_to_double(int64_t field);

/* Copies the next string field, cut to size - 1 bytes and ended with NUL. Returns
 * 1 if it was cut, else 0. */
int wire_copy(struct wire_msg *msg, char *to, size_t size);

/* True while fields remain: the condition of a loop over the group. */
int wire_more(const struct wire_msg *msg);

/* Starts a frame at the end of buf; end it with wire_end(). */
void wire_begin(struct wire_buf *buf, enum wire_type type, int nfds);
void wire_put_int(struct wire_buf *buf, int64_t value);
void wire_put_str(struct wire_buf *buf, const char *p, size_t len);
void wire_put_text(struct wire_buf *buf, const char *text);

/* Ends the frame. Returns 0, or a negated errno; the frame is gone then. */
int wire_end(struct wire_buf *buf);

/*
 * begin, the fields by schema (WIRE_INT(number) or const char *), end. Only
 * for the part before '|'.
 */
#define WIRE_INT(number) ((int64_t)(number))
int wire_put(struct wire_buf *buf, enum wire_type type, ...);

/*
 * Writes a frame of msg's type with those of its fields that are not read yet,
 * and no descriptors; wire_relay_op() with op before them, where that one
 * has been read. Returns 0 or a negated errno, as wire_end().
 */
int wire_relay(struct wire_buf *buf, const struct wire_msg *msg);
int wire_relay_op(struct wire_buf *buf, const struct wire_msg *msg, int64_t op);

/* Frees what buf holds. */
void wire_free(struct wire_buf *buf);

/* "TICKET_REQUEST"; "?" for an unknown type. */
const char *wire_name(enum wire_type type);

#endif
