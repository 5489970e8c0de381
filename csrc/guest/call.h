/*
 * guest/call - what a program or controller asks of the engine
 */
#ifndef GC_GUEST_CALL_H
#define GC_GUEST_CALL_H

#include "guest/gc.h"

/*
 * Operations. Each returns its number (> 0), and ends later with one completion
 * (guest/op.h); or it fails at once with a negative code. The engine checks
 * their arguments. Times are in ms, tickets are uuids as text.
 */
int64_t guest_request_ticket(struct gc *gc, int maxcpus, int minvms,
			     int mincpuspervm, int timeout_ms, struct err *err);
int64_t guest_ticket_info(struct gc *gc, const char *ticket, struct err *err);
int64_t guest_release_ticket(struct gc *gc, const char *ticket,
			     struct err *err);
int64_t guest_clone(struct gc *gc, const char *ticket, struct err *err);
int64_t guest_list_domains(struct gc *gc, struct err *err);
int64_t guest_kill(struct gc *gc, int vmid, struct err *err);

/* Owners only. Starts the program as domain 0, in the folder dir; argv[0] is
 * looked up in $PATH. It is ready when it listens on port; 0: as soon as its
 * channel speaks. */
int64_t guest_start(struct gc *gc, int port, const char *dir,
		    const char *const *argv, int argc, struct err *err);

/* A virtual machine, for START_VM. */
struct guest_vm {
	const char *image; /* path */
	int memory;	   /* MiB */
	int cpus;
	const char *accel;   /* "auto", "kvm", "tcg" */
	const char *network; /* "user", "tap" */
	int has_lan;	     /* it clones itself: the VMs share a network */
	int spare;	     /* clones that are prepared ahead */
};

/* Owners only. Starts the VM as domain 0; port as in guest_start(). */
int64_t guest_start_vm(struct gc *gc, int port, const struct guest_vm *vm,
		       struct err *err);
int64_t guest_stop(struct gc *gc, int vmid, int grace_ms, struct err *err);

/* One-way messages; dropped without an engine. */
void guest_record(struct gc *gc, const char *what, int vmid, const char *text,
		  const char *json); /* an event for the ledger */
void guest_report(struct gc *gc, const char *json);
void guest_answer(struct gc *gc, int64_t op, int code, const char *text);

#endif
