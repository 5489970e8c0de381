/* wire - see wire.h */
#include "wire/wire.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define X(name, number, schema) [number] = { #name, schema },
static const struct {
	const char *name, *schema;
} types[] = { WIRE_MESSAGES(X) };
#undef X

#define NTYPES (sizeof types / sizeof types[0])

static const char *schema_of(unsigned type)
{
	return type < NTYPES ? types[type].schema : NULL;
}

const char *wire_name(enum wire_type type)
{
	return schema_of(type) ? types[type].name : "?";
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return le32toh(v);
}

/* The byte behind the field at p, or NULL where it does not fit. */
static const uint8_t *skip(const uint8_t *p, const uint8_t *end, char kind)
{
	size_t need = kind == 'i' ? 8 : 4;

	if ((size_t)(end - p) < need)
		return NULL;
	if (kind == 's') {
		size_t len = get32(p);

		p += 4;
		return (size_t)(end - p) < len ? NULL : p + len;
	}
	return p + need;
}

/* True when the fields between p and end are what the schema says. */
static int fits(const char *schema, const uint8_t *p, const uint8_t *end)
{
	const char *group;

	for (; *schema && *schema != '|'; schema++)
		if (!(p = skip(p, end, *schema)))
			return 0;
	if (!*schema)
		return p == end;
	group = schema + 1;
	while (p != end)
		for (schema = group; *schema; schema++)
			if (!(p = skip(p, end, *schema)))
				return 0;
	return 1;
}

int wire_decode(const void *data, size_t len, struct wire_msg *msg)
{
	const uint8_t *p = data;
	uint32_t length;

	if (len < 4)
		return 0;
	length = get32(p);
	if (length < WIRE_HEADER - 4 || length > WIRE_MAX_FRAME - 4)
		return -EPROTO;
	/* what is wrong from the first bytes on is not waited for */
	if (len >= 5 && p[4] != WIRE_VERSION)
		return -EPROTO;
	if (len >= 6 && !schema_of(p[5]))
		return -EPROTO;
	if (len - 4 < length)
		return 0;
	if (p[6] > WIRE_MAX_FDS)
		return -EPROTO;
	msg->type = p[5];
	msg->nfds = p[6];
	msg->at = p + WIRE_HEADER;
	msg->end = p + 4 + length;
	if (!fits(schema_of(p[5]), msg->at, msg->end))
		return -EPROTO;
	return (int)length + 4;
}

int64_t wire_int(struct wire_msg *msg)
{
	uint64_t v;

	assert(msg->end - msg->at >= 8);
	memcpy(&v, msg->at, sizeof v);
	msg->at += sizeof v;
	return (int64_t)le64toh(v);
}

struct wire_str wire_str(struct wire_msg *msg)
{
	struct wire_str s;

	assert(msg->end - msg->at >= 4);
	s.len = get32(msg->at);
	s.p = (const char *)msg->at + 4;
	assert((size_t)(msg->end - msg->at) - 4 >= s.len);
	msg->at += 4 + s.len;
	return s;
}

int64_t wire_from_double(double value)
{
	int64_t field;

	_Static_assert(sizeof field == sizeof value, "a double has 64 bits");
	memcpy(&field, &value, sizeof field);
	return field;
}

double wire_to_double(int64_t field)
{
	double value;

	memcpy(&value, &field, sizeof value);
	return value;
}

int wire_copy(struct wire_msg *msg, char *to, size_t size)
{
	struct wire_str s = wire_str(msg);
	size_t len = s.len < size - 1 ? s.len : size - 1;

	memcpy(to, s.p, len);
	to[len] = '\0';
	return len < s.len;
}

int wire_more(const struct wire_msg *msg)
{
	return msg->at < msg->end;
}

/* Makes room for len bytes more and returns where they go. */
static uint8_t *extend(struct wire_buf *buf, size_t len)
{
	size_t cap = buf->cap ? buf->cap : 512;
	uint8_t *data;

	if (buf->failed)
		return NULL;
	if (buf->len + len - buf->frame > WIRE_MAX_FRAME) {
		buf->failed = EMSGSIZE;
		return NULL;
	}
	while (cap < buf->len + len)
		cap *= 2;
	if (cap != buf->cap) {
		data = realloc(buf->data, cap);
		if (!data) {
			buf->failed = ENOMEM;
			return NULL;
		}
		buf->data = data;
		buf->cap = cap;
	}
	buf->len += len;
	return buf->data + buf->len - len;
}

static void put32(uint8_t *to, uint32_t v)
{
	v = htole32(v);
	memcpy(to, &v, sizeof v);
}

void wire_begin(struct wire_buf *buf, enum wire_type type, int nfds)
{
	uint8_t *p;

	buf->frame = buf->len;
	buf->failed = 0;
	p = extend(buf, WIRE_HEADER);
	if (!p)
		return;
	p[4] = WIRE_VERSION;
	p[5] = (uint8_t)type;
	p[6] = (uint8_t)nfds;
}

void wire_put_int(struct wire_buf *buf, int64_t value)
{
	uint64_t v = htole64((uint64_t)value);
	uint8_t *p = extend(buf, sizeof v);

	if (p)
		memcpy(p, &v, sizeof v);
}

void wire_put_str(struct wire_buf *buf, const char *from, size_t len)
{
	uint8_t *p = extend(buf, 4 + len);

	if (!p)
		return;
	put32(p, (uint32_t)len);
	if (len)
		memcpy(p + 4, from, len);
}

void wire_put_text(struct wire_buf *buf, const char *text)
{
	wire_put_str(buf, text, strlen(text));
}

int wire_end(struct wire_buf *buf)
{
	if (buf->failed) {
		int err = -buf->failed;

		buf->len = buf->frame;
		buf->failed = 0;
		return err;
	}
	assert(buf->len >= buf->frame + WIRE_HEADER);
	put32(buf->data + buf->frame, (uint32_t)(buf->len - buf->frame - 4));
	return 0;
}

int wire_put(struct wire_buf *buf, enum wire_type type, ...)
{
	const char *schema = schema_of(type);
	va_list args;

	assert(schema);
	wire_begin(buf, type, 0);
	va_start(args, type);
	for (; *schema && *schema != '|'; schema++) {
		if (*schema == 'i')
			wire_put_int(buf, va_arg(args, int64_t));
		else
			wire_put_text(buf, va_arg(args, const char *));
	}
	va_end(args);
	return wire_end(buf);
}

/* The fields that are not read yet, and the end. */
static int put_rest(struct wire_buf *buf, const struct wire_msg *msg)
{
	size_t len = (size_t)(msg->end - msg->at);
	uint8_t *p = extend(buf, len);

	if (p && len)
		memcpy(p, msg->at, len);
	return wire_end(buf);
}

int wire_relay(struct wire_buf *buf, const struct wire_msg *msg)
{
	wire_begin(buf, msg->type, 0);
	return put_rest(buf, msg);
}

int wire_relay_op(struct wire_buf *buf, const struct wire_msg *msg, int64_t op)
{
	wire_begin(buf, msg->type, 0);
	wire_put_int(buf, op);
	return put_rest(buf, msg);
}

void wire_free(struct wire_buf *buf)
{
	free(buf->data);
	memset(buf, 0, sizeof *buf);
}
