/*
 * gc-guest.h - the guest API of gridcentric: what a program calls to clone
 * itself
 *
 *	gc_uuid_t ticket;
 *	int vmid;
 *
 *	if (gc_request_ticket(2, 1, 1, 1000, &ticket) < 0)
 *		err(1, "no resources: %s", gc_error_text());
 *	vmid = gc_clone(ticket);
 *	if (vmid < 0)
 *		err(1, "clone: %s", gc_error_text());
 *	printf(vmid ? "clone number %d\n" : "still the master\n", vmid);
 *
 * Calls block until the engine has answered. They return a number < 0 on
 * failure, with errno set; gc_error_text() has the details. Only one thread may
 * call them at a time. See gridcentric(3) and gridcentric(7).
 */
#ifndef GRIDCENTRIC_GC_GUEST_H
#define GRIDCENTRIC_GC_GUEST_H

#ifdef __cplusplus
extern "C" {
#endif

#define GC_API __attribute__((visibility("default")))

/* A ticket's name: 36 characters and the NUL. */
typedef struct gc_uuid {
	char value[37];
} gc_uuid_t;

typedef enum gc_ticket_status {
	GC_TICKET_PENDING,   /* waits for resources */
	GC_TICKET_GRANTED,   /* may be used by gc_clone() */
	GC_TICKET_ACTIVE,    /* used: its clones are being made, or live */
	GC_TICKET_RELEASED,  /* given back */
	GC_TICKET_EXPIRED,   /* granted, but not used in time */
	GC_TICKET_DENIED,    /* no resources within its timeout */
	GC_TICKET_CANCELLED, /* was released, or its owner ended, before it
			      * was granted */
	GC_TICKET_REVOKED,   /* taken back by the scheduler */
	GC_TICKET_LOST	     /* its engine died */
} gc_ticket_status_t;

typedef struct gc_ticket_info {
	gc_uuid_t id;
	gc_ticket_status_t status;
	int cpus; /* reserved: vms x CPUs per VM */
	int vms;  /* clones that gc_clone() makes */
	int mincpuspervm;
} gc_ticket_info_t;

typedef enum gc_domain_state {
	GC_DOMAIN_STARTING, /* not ready yet */
	GC_DOMAIN_READY,
	GC_DOMAIN_STOPPING, /* asked to end */
	GC_DOMAIN_ENDED
} gc_domain_state_t;

typedef struct gc_domain {
	int vmid;
	int pid;
	gc_domain_state_t state;
	char host[64];
	char endpoints[256]; /* "8001=127.64.0.1:8001 ..." */
} gc_domain_t;

/* The number of this domain: 0 the master, 1, 2, ... its clones. */
GC_API int gc_vmid(void);

/*
 * Reserves resources for clones: at most maxcpus CPUs, in at least minvms
 * clones of mincpuspervm CPUs each. Waits for them up to timeout_ms
 * milliseconds. Returns 0 and fills *ticket.
 */
GC_API int gc_request_ticket(int maxcpus, int minvms, int mincpuspervm,
			     int timeout_ms, gc_uuid_t *ticket);

/* Fills *info with the state of the ticket, and what it gave. Returns 0. */
GC_API int gc_ticket_info(gc_uuid_t ticket, gc_ticket_info_t *info);

/* "granted" for GC_TICKET_GRANTED, and so on; "unknown" for other numbers. */
GC_API const char *gc_ticket_status_string(gc_ticket_status_t status);

/*
 * Clones this process, once for each VM of the ticket. Returns 0 in the master
 * when all clones are ready; in each clone its vmid, > 0.
 */
GC_API int gc_clone(gc_uuid_t ticket);

/*
 * Calls veto(arg) right before this process is cloned, whoever asks for that.
 * veto returns NULL to agree; else the reason why this is no time for a clone,
 * which must stay valid until gc_before_clone() or the next veto. No clone is
 * made then: it fails with errno EBUSY and that reason. Replaces an earlier
 * one; veto NULL: always agree. Not called in a virtual machine, where the
 * whole machine is cloned. Returns 0.
 */
GC_API int gc_before_clone(const char *(*veto)(void *arg), void *arg);

/* Gives back what the ticket holds and no clone uses. Clones are not affected.
 * Returns 0. */
GC_API int gc_release_ticket(gc_uuid_t ticket);

/* Fills up to max entries of domains. Returns how many there are in all. */
GC_API int gc_list_domains(gc_domain_t *domains, int max);

/* Ends a domain at once (SIGKILL) and waits until it has ended. Returns 0. */
GC_API int gc_kill(int vmid);

/*
 * Reports a number about this domain to the policy that scales it. The last
 * value of each name counts. name: 1 to 64 of a to z, 0 to 9 and _; at most 64
 * names. Values are sent ten times a second at most: one that comes sooner
 * waits for the next call of a function here. Returns 0.
 */
GC_API int gc_metric(const char *name, double value);

/*
 * Waits up to timeout_ms (-1: without limit) for the engine's messages, and
 * handles them. A program that gcscale started calls this in its loop, and is
 * cloned in it. Returns 0; in each new clone once its vmid, > 0.
 */
GC_API int gc_wait(int timeout_ms);

/* Returns a descriptor for the program's own event loop. It is readable when
 * gc_wait(0) has something to do, and stays the same in clones. */
GC_API int gc_fd(void);

/* The text of the last error; never NULL. */
GC_API const char *gc_error_text(void);

#ifdef __cplusplus
}
#endif

#endif
