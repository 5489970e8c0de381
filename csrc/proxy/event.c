/* proxy/event - see proxy/event.h */
#include "proxy/event.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The slices of an event, which have their bytes in its text. */
static const size_t slices[] = {
	offsetof(struct proxy_event, method),
	offsetof(struct proxy_event, target),
	offsetof(struct proxy_event, host),
	offsetof(struct proxy_event, cookie),
	offsetof(struct proxy_event, field),
	offsetof(struct proxy_event, agent),
};

enum {
	NSLICES = sizeof slices / sizeof slices[0],
};

static struct http_slice *slice_of(struct proxy_event *event, int i)
{
	return (struct http_slice *)((char *)event + slices[i]);
}

void events_init(struct events *events, struct loop *loop)
{
	events->loop = loop;
	TAILQ_INIT(&events->list);
}

static struct proxy_event *event_alloc(int64_t conn, size_t len)
{
	struct proxy_event *event = malloc(sizeof *event + len);

	if (!event)
		return NULL;
	memset(event, 0, sizeof *event);
	event->conn = conn;
	return event;
}

struct proxy_event *event_new(int64_t conn)
{
	return event_alloc(conn, 0);
}

struct proxy_event *event_new_request(int64_t conn,
				      const struct proxy_event *request)
{
	struct proxy_event from = *request, *event;
	size_t len = 0;
	char *at;
	int i;

	for (i = 0; i < NSLICES; i++)
		len += slice_of(&from, i)->len;
	event = event_alloc(conn, len);
	if (!event)
		return NULL;
	at = event->text;
	for (i = 0; i < NSLICES; i++) {
		struct http_slice s = *slice_of(&from, i);

		if (!s.at)
			continue;
		memcpy(at, s.at, s.len);
		*slice_of(event, i) = (struct http_slice){ at, s.len };
		at += s.len;
	}
	assert(at == event->text + len);
	return event;
}

void proxy_event_free(struct proxy_event *event)
{
	assert(!event || !event->proxy);
	free(event);
}

void events_push(struct events *events, struct proxy *proxy,
		 struct proxy_event *event, enum proxy_event_kind kind)
{
	assert(!event->proxy && !event->completion.queued);
	event->proxy = proxy;
	TAILQ_INSERT_TAIL(&events->list, event, link);
	loop_complete(events->loop, &event->completion, kind);
}

void events_take(struct events *events, struct proxy_event *event)
{
	assert(event->proxy && !event->completion.queued);
	TAILQ_REMOVE(&events->list, event, link);
	event->proxy = NULL;
}

void events_withdraw(struct events *events, struct proxy_event *event)
{
	assert(event->proxy);
	loop_uncomplete(events->loop, &event->completion);
	events_take(events, event);
	proxy_event_free(event);
}

void events_withdraw_all(struct events *events)
{
	while (!TAILQ_EMPTY(&events->list))
		events_withdraw(events, TAILQ_FIRST(&events->list));
}

void events_forget(struct events *events)
{
	struct proxy_event *event;

	while ((event = TAILQ_FIRST(&events->list))) {
		TAILQ_REMOVE(&events->list, event, link);
		free(event);
	}
}
