/* Embedding levels (UAX #9) of a paragraph without explicit formatting characters, as in `bidi.py`: rules W1 to W7, N0 to N2, I1,
   I2 and L1. Classes are the letters of `unicode_data.py`. */

#include "lines.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BRACKET_DEPTH = 63 };

typedef struct {
    int32_t opening, closing;
} Pair;

static uint8_t strong(uint8_t type) { return type == 'E' || type == 'D' ? 'R' : type; }

static int is_direction(uint8_t type) { return type == 'L' || type == 'R'; }

/* W1 to W7 on `types[0 .. count + 1]`, whose first and last stand for the borders. */
static void resolve_weak(uint8_t *types, int32_t count) {
    int32_t last = count + 1;
    uint8_t before = types[0];
    for (int32_t i = 1; i < last; i++) { /* W1: marks take the class of their base; W2: European numbers after Arabic letters */
        if (types[i] == 'M') types[i] = types[i - 1];
    }
    for (int32_t i = 1; i < last; i++) {
        if (types[i] == 'L' || types[i] == 'R' || types[i] == 'A') before = types[i];
        else if (types[i] == 'E' && before == 'A') types[i] = 'D';
    }
    for (int32_t i = 1; i < last; i++) /* W3 */
        if (types[i] == 'A') types[i] = 'R';
    for (int32_t i = 1; i < last; i++) { /* W4: a single separator between two numbers */
        if ((types[i] == 'S' || types[i] == 'C') && types[i - 1] == 'E' && types[i + 1] == 'E') types[i] = 'E';
        else if (types[i] == 'C' && types[i - 1] == 'D' && types[i + 1] == 'D') types[i] = 'D';
    }
    for (int32_t i = 1; i < last; i++) { /* W5: terminators beside European numbers; W6: other separators and terminators */
        if (types[i] != 'T') continue;
        int32_t end = i;
        while (types[end] == 'T') end++;
        uint8_t type = types[i - 1] == 'E' || types[end] == 'E' ? 'E' : 'O';
        memset(types + i, type, (size_t)(end - i));
        i = end - 1;
    }
    for (int32_t i = 1; i < last; i++)
        if (types[i] == 'S' || types[i] == 'C') types[i] = 'O';
    before = types[0];
    for (int32_t i = 1; i < last; i++) { /* W7: European numbers in left-to-right context */
        if (is_direction(types[i])) before = types[i];
        else if (types[i] == 'E' && before == 'L') types[i] = 'L';
    }
}

static int by_opening(const void *left, const void *right) {
    int32_t a = ((const Pair *)left)->opening, b = ((const Pair *)right)->opening;
    return (a > b) - (a < b);
}

/* N0: both brackets of a pair take the direction of what they enclose, or of what stands before them. */
static void resolve_brackets(const Engine *engine, const uint32_t *text, const int32_t *kept, const uint8_t *original, uint8_t *types,
                             int32_t count, uint8_t direction, Pair *pairs) {
    uint32_t waiting[MAX_BRACKET_DEPTH];
    int32_t places[MAX_BRACKET_DEPTH];
    int depth = 0;
    int32_t num_pairs = 0;
    for (int32_t i = 1; i <= count; i++) {
        uint32_t bracket = character(engine, text[kept[i - 1]])->bracket;
        if (!bracket || types[i] != 'O') continue;
        if (!(bracket & CLOSING_BRACKET)) {
            if (depth == MAX_BRACKET_DEPTH) break;
            waiting[depth] = bracket;
            places[depth++] = i;
            continue;
        }
        for (int at = depth - 1; at >= 0; at--) {
            if (waiting[at] == (bracket & ~CLOSING_BRACKET)) {
                pairs[num_pairs].opening = places[at];
                pairs[num_pairs++].closing = i;
                depth = at;
                break;
            }
        }
    }
    qsort(pairs, (size_t)num_pairs, sizeof(Pair), by_opening);
    uint8_t opposite = direction == 'L' ? 'R' : 'L';
    for (int32_t p = 0; p < num_pairs; p++) {
        int same = 0, other = 0;
        for (int32_t i = pairs[p].opening; i < pairs[p].closing && !same; i++) {
            same = strong(types[i]) == direction;
            other |= strong(types[i]) == opposite;
        }
        uint8_t chosen = direction;
        if (!same) {
            if (!other) continue;
            int32_t i = pairs[p].opening - 1;
            while (!is_direction(strong(types[i]))) i--;
            chosen = strong(types[i]);
        }
        int32_t ends[2] = {pairs[p].opening, pairs[p].closing};
        for (int side = 0; side < 2; side++) {
            int32_t i = ends[side];
            do types[i++] = chosen;
            while (i <= count && original[i] == 'M');
        }
    }
}

int resolve_levels(Engine *engine, const uint32_t *text, int32_t length, int base_level) {
    size_t size = (size_t)length + 2;
    if (reserve(&engine->levels, size) || reserve(&engine->types, 2 * size) ||
        reserve(&engine->kept, sizeof(int32_t) * size) || reserve(&engine->canvas, sizeof(Pair) * size))
        return NO_MEMORY;
    uint8_t *levels = engine->levels.memory;
    if (!base_level && !engine->summary.right_to_left) {
        memset(levels, 0, (size_t)length);
        return DONE;
    }
    uint8_t base = (uint8_t)base_level, direction = base ? 'R' : 'L';
    uint8_t *types = engine->types.memory, *original = types + size;
    int32_t *kept = engine->kept.memory; /* X9 removes boundary neutrals */
    int32_t count = 0;
    for (int32_t i = 0; i < length; i++) {
        uint8_t code = character(engine, text[i])->bidi;
        if (code == 'b') continue;
        kept[count++] = i;
        types[count] = code == 'w' || code == 's' || code == 'B' ? 'O' : code;
    }
    types[0] = types[count + 1] = direction;
    memcpy(original, types, (size_t)count + 2);
    resolve_weak(types, count);
    if (engine->summary.has_brackets) resolve_brackets(engine, text, kept, original, types, count, direction, engine->canvas.memory);
    for (int32_t i = 1; i <= count; i++) { /* N1, N2: neutrals take the direction of both their sides, else that of the embedding */
        if (types[i] != 'O') continue;
        int32_t end = i;
        while (types[end] == 'O') end++;
        uint8_t before = strong(types[i - 1]);
        memset(types + i, before == strong(types[end]) ? before : direction, (size_t)(end - i));
        i = end - 1;
    }
    uint8_t left = base ? 2 : 0, number = 2; /* I1, I2 */
    memset(levels, base, (size_t)length);
    for (int32_t i = 0; i < count; i++) {
        uint8_t type = types[i + 1];
        levels[kept[i]] = type == 'L' ? left : type == 'R' ? 1 : number;
    }
    for (int32_t i = length - 1; i >= 0; i--) { /* L1 */
        uint8_t code = character(engine, text[i])->bidi;
        if (code != 'w' && code != 'b') break;
        levels[i] = base;
    }
    for (int32_t i = 0; i < length; i++)
        if (character(engine, text[i])->bidi == 'b') levels[i] = i ? levels[i - 1] : base;
    return DONE;
}
