/* Memory that grows, and memory for words that is given back all at once. */

#include "lines.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 1 << 18 };

int reserve(Growing *growing, size_t bytes) {
    if (bytes <= growing->capacity) return DONE;
    size_t capacity = growing->capacity ? growing->capacity : 4096;
    while (capacity < bytes) capacity *= 2;
    void *memory = realloc(growing->memory, capacity);
    if (!memory) return NO_MEMORY;
    growing->memory = memory;
    growing->capacity = capacity;
    return DONE;
}

void *allocate(Engine *engine, size_t bytes) {
    bytes = (bytes + 15) & ~(size_t)15;
    Block *block = engine->blocks;
    if (!block || block->size - block->used < bytes) {
        size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        block = malloc(sizeof(Block) + size);
        if (!block) return NULL;
        block->next = engine->blocks;
        block->size = size;
        block->used = 0;
        engine->blocks = block;
    }
    void *result = block->bytes + block->used;
    block->used += bytes;
    engine->word_bytes += bytes;
    return result;
}

uint64_t hash_of(uint64_t hash, const uint32_t *values, int32_t count) {
    hash *= 0x9e3779b97f4a7c15u;
    for (int32_t i = 0; i < count; i++) hash = (hash ^ values[i]) * 0x9fb21c651e98df25u ^ (hash >> 29);
    return hash ^ (hash >> 32);
}

/* Note something that Python has to hand over, once. What is more than it takes at a time, it is asked for the next time. */
int want(Engine *engine, uint32_t value) {
    uint32_t *wanted = engine->wanted.memory;
    if (engine->num_wanted == WANTED_AT_A_TIME) return DONE;
    for (int32_t i = 0; i < engine->num_wanted; i++)
        if (wanted[i] == value) return DONE;
    if (reserve(&engine->wanted, sizeof(uint32_t) * ((size_t)engine->num_wanted + 1))) return NO_MEMORY;
    ((uint32_t *)engine->wanted.memory)[engine->num_wanted++] = value;
    return DONE;
}
