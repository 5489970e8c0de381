/* ticket_status - names of what a ticket can be; engine and library use them */
#include "gridcentric/gc-guest.h"

const char *gc_ticket_status_string(gc_ticket_status_t status)
{
	switch (status) {
	case GC_TICKET_PENDING: return "pending";
	case GC_TICKET_GRANTED: return "granted";
	case GC_TICKET_ACTIVE: return "active";
	case GC_TICKET_RELEASED: return "released";
	case GC_TICKET_EXPIRED: return "expired";
	case GC_TICKET_DENIED: return "denied";
	case GC_TICKET_CANCELLED: return "cancelled";
	case GC_TICKET_REVOKED: return "revoked";
	case GC_TICKET_LOST: return "lost";
	}
	return "unknown";
}
