/*
 * proxy/table - numbers for things that live for a while (inside the proxy)
 *
 * An entry gets a number by which it is found, and which is never used again.
 * From the top, the bits of a number are the table's own number, a generation
 * that increases each time the place is used again, and the place.
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
	uint32_t next_free; /* index; of a free slot */
};

struct table {
	struct slot *slots;
	uint32_t nslots, first_free;
	uint32_t nused; /* entries in it */
	int number;	/* of the table, up to MAX_NUMBER */
};

void table_init(struct table *table, int number);

/* Adds an entry, which stays the caller's. Returns its number, or -ENOMEM. */
int64_t table_add(struct table *table, void *entry);

/* The entry of this number; NULL: it was removed, or never was. */
void *table_find(const struct table *table, int64_t id);

/* Removes the entry of this number, which must be in the table. */
void table_remove(struct table *table, int64_t id);

/* The entry in a place below table->nslots; NULL: the place is free. */
static inline void *table_at(const struct table *table, uint32_t index)
{
	return table->slots[index].entry;
}

/* Empties it; the entries themselves are not touched. */
void table_free(struct table *table);

#endif
