/* names - see names.h */
#include "wire/names.h"

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

const char *domain_state_name(int64_t state)
{
	switch (state) {
	case GC_DOMAIN_STARTING: return "starting";
	case GC_DOMAIN_READY: return "ready";
	case GC_DOMAIN_STOPPING: return "stopping";
	case GC_DOMAIN_ENDED: return "ended";
	}
	return "unknown";
}
