/*
 * proxy/table - numbers for what lives for a while (inside the proxy)
 *
 * An entry gets a number by which it is found, and which is never used again:
 * from the top its bits are the table's own number, a generation that goes up
 * each time the place is used anew, and the place.
 */
#ifndef GC_PROXY_TABLE_H
#define GC_PROXY_TABLE_H

#include <stdint.h>

/* Bits of a number; with MAX_NUMBER they make 63, so that none is negative. */
enum {
	INDEX_BITS = 24,
	GENERATION_BITS = 31,
	MAX_NUMBER = 255, /* of a table */
};

struct slot {
	void *entry; /* NULL: free */
	uint32_t generation;
	uint32_t next_free; /* index, of a free one */
};

struct table {
	struct slot *slots;
	uint32_t nslots, first_free;
	int number; /* of the table, up to MAX_NUMBER */
};

void table_init(struct table *table, int number);

/* Puts in an entry, which stays the caller's; its number, or -ENOMEM. */
int64_t table_add(struct table *table, void *entry);

/* The entry of this number; NULL: there is none, or none any more. */
void *table_find(const struct table *table, int64_t id);

/* Takes out the entry of this number, which is in it. */
void table_remove(struct table *table, int64_t id);

/* The entry in a place below table->nslots; NULL: it is free. */
static inline void *table_at(const struct table *table, uint32_t index)
{
	return table->slots[index].entry;
}

/* Empties it; the entries are left alone. */
void table_free(struct table *table);

#endif
