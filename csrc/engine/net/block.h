/*
 * block - the claim on a block of addresses, 127.N and what follows from it
 *
 * Each engine of a machine has one number N to itself: its clones listen in
 * 127.N.0.0/16, and the names and addresses of its bridge and taps derive from
 * N (tap.h). The claim is an abstract unix socket, so that the kernel drops it
 * when the engine dies, whatever it dies of, and with it the last QEMU, which
 * has a copy: it may listen in the block a moment longer. It is one claim in
 * each network namespace, as are the addresses.
 */
#ifndef GC_ENGINE_NET_BLOCK_H
#define GC_ENGINE_NET_BLOCK_H

#define BLOCK_FIRST 64	/* addresses below are those that people set by hand */
#define BLOCK_LAST  254 /* 127.255.255.255 is the broadcast address */

/* Claims a block. Returns the claim's descriptor, the caller's, to be closed
 * to give the block back; -EADDRINUSE where another engine has it. */
int block_claim(int block);

/* Claims the first free block and stores its number. Returns the claim's
 * descriptor, -EADDRINUSE where all are taken. */
int block_claim_any(int *block);

/* True when a living engine, or a QEMU of a dead one, has the block, or when
 * that cannot be told. */
int block_is_claimed(int block);

#endif
