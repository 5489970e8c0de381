/*
 * proxy/options - what a proxy is told to do (see proxy.h)
 */
#ifndef GC_PROXY_OPTIONS_H
#define GC_PROXY_OPTIONS_H

#include <stdint.h>

enum proxy_mode {
	PROXY_HTTP, /* each request is routed */
	PROXY_TCP,  /* each connection is routed */
};

/* Times are looked at once a second, or in the smallest of them if less. */
struct proxy_options {
	enum proxy_mode mode;
	int number;		 /* of this proxy: the upper bits of its ids */
	int max_connections;	 /* accepting pauses there */
	int head_timeout_ms;	 /* from first to last byte of a head: 408 */
	int idle_timeout_ms;	 /* a client's connection between requests */
	int connect_timeout_ms;	 /* to the server */
	int response_timeout_ms; /* from request to response head */
	int stall_timeout_ms;	 /* a peer that takes or gives no byte */
	int tunnel_timeout_ms;	 /* the same in tcp mode and after 101 */
	int max_head;		 /* bytes, 512 to 16384 */
	int64_t max_body;	 /* bytes of a request's content, 0: any */
	const char *cookie;	 /* name of the owner's cookie, NULL: none */
	const char *field;	 /* of request heads, for events; NULL: none */
};

/* The values that are used where the owner has no opinion. */
void proxy_defaults(struct proxy_options *options);

/* ---- inside the proxy --------------------------------------------------- */

/* The proxy's own copies of the names, to which its options point. */
struct options_names {
	char cookie[64]; /* empty: none */
	char field[64];
};

/* Copies them, where they are sound; -EINVAL. */
int options_set(struct proxy_options *options, struct options_names *names,
		const struct proxy_options *from);

/* The same, but for what stays: the mode, the number and the cookie. */
int options_change(struct proxy_options *options, struct options_names *names,
		   const struct proxy_options *from);

/* How often the times are to be looked at. */
int options_sweep_ms(const struct proxy_options *options);

#endif
