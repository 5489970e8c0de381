/*
 * proxy/options - settings of a proxy (see proxy.h)
 */
#ifndef GC_PROXY_OPTIONS_H
#define GC_PROXY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum proxy_mode {
	PROXY_HTTP, /* each request is routed */
	PROXY_TCP,  /* each connection is routed */
};

/* Times are checked once a second, or as often as the smallest of them. */
struct proxy_options {
	enum proxy_mode mode;
	int number;		 /* of this proxy: the upper bits of its ids */
	int max_connections;	 /* accepting pauses there */
	int head_timeout_ms;	 /* from first to last byte of a head: 408 */
	int idle_timeout_ms;	 /* a client's connection between requests */
	int connect_timeout_ms;	 /* to the server */
	int response_timeout_ms; /* from the request's end to the final head */
	int stall_timeout_ms;	 /* a peer neither takes nor gives a byte */
	int tunnel_timeout_ms;	 /* the same in tcp mode and after 101 */
	int max_head;		 /* bytes of a request's, 512 to 16384 */
	int max_response_head;	 /* bytes of a response's, 512 to 16384 */
	int64_t max_body;	 /* bytes of a request's content, 0: any */
	const char *cookie;	 /* name of the owner's cookie, NULL: none */
	const char *field;	 /* of request heads, for events; NULL: none */
	bool agent;		 /* User-Agent, for events */
};

/* The defaults. */
void proxy_defaults(struct proxy_options *options);

/* ---- inside the proxy --------------------------------------------------- */

/* The proxy's own copies of the names, to which its options point. */
struct options_names {
	char cookie[64]; /* empty: none */
	char field[64];
};

/* Copies the options if they are valid. Returns 0 or -EINVAL. */
int options_set(struct proxy_options *options, struct options_names *names,
		const struct proxy_options *from);

/* The same, except that mode, number and cookie stay as they are. */
int options_change(struct proxy_options *options, struct options_names *names,
		   const struct proxy_options *from);

/* How often deadlines are to be checked. */
int options_sweep_ms(const struct proxy_options *options);

#endif
