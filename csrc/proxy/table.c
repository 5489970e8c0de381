/* proxy/table - see proxy/table.h */
#include "proxy/table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
	NO_SLOT = UINT32_MAX, /* end of the list of free slots */
	FIRST_SLOTS = 64,
	INDEX_MASK = (1 << INDEX_BITS) - 1,
};

static int64_t id_of(const struct table *table, uint32_t index)
{
	int64_t number = table->number;
	int64_t generation = table->slots[index].generation;

	return number << (GENERATION_BITS + INDEX_BITS) |
	       generation << INDEX_BITS | index;
}

void table_init(struct table *table, int number)
{
	assert(number >= 0 && number <= MAX_NUMBER);
	*table = (struct table){ .first_free = NO_SLOT, .number = number };
}

static int grow(struct table *table)
{
	uint32_t i, n = table->nslots ? 2 * table->nslots : FIRST_SLOTS;
	struct slot *slots = realloc(table->slots, n * sizeof *slots);

	if (!slots)
		return -ENOMEM;
	for (i = n; i-- > table->nslots;) {
		slots[i] = (struct slot){ .next_free = table->first_free };
		table->first_free = i;
	}
	table->slots = slots;
	table->nslots = n;
	return 0;
}

int64_t table_add(struct table *table, void *entry)
{
	uint32_t index;
	int err;

	if (table->first_free == NO_SLOT) {
		err = grow(table);
		if (err)
			return err;
	}
	index = table->first_free;
	assert(index < table->nslots && index <= INDEX_MASK);
	assert(!table->slots[index].entry);
	table->nused++;
	table->first_free = table->slots[index].next_free;
	table->slots[index].entry = entry;
	return id_of(table, index);
}

void *table_find(const struct table *table, int64_t id)
{
	uint32_t index = id & INDEX_MASK;

	if (index >= table->nslots || id_of(table, index) != id)
		return NULL;
	return table->slots[index].entry;
}

void table_remove(struct table *table, int64_t id)
{
	uint32_t index = id & INDEX_MASK;
	struct slot *slot = &table->slots[index];

	assert(table_find(table, id));
	table->nused--;
	slot->entry = NULL;
	slot->generation =
		(slot->generation + 1) & ((1u << GENERATION_BITS) - 1);
	slot->next_free = table->first_free;
	table->first_free = index;
}

void table_free(struct table *table)
{
	free(table->slots);
	table_init(table, table->number);
}
