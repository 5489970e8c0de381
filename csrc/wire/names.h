/*
 * names - the words for what travels over the channel as a number
 *
 * The names of ticket statuses are public: gc_ticket_status_string().
 */
#ifndef GC_WIRE_NAMES_H
#define GC_WIRE_NAMES_H

#include <stdint.h>

/* "ready" for GC_DOMAIN_READY and so on; "unknown" for any other number. */
const char *domain_state_name(int64_t state);

#endif
