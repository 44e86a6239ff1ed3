/* Profile `fit`: clusters that would leave the strip are pressed into it. Python does that once for each (`fitting.squeeze`). */

#include "lines.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 256 };

static Pressed **slot_of(Pressed **slots, size_t num_slots, uint64_t hash, const int32_t *key, int32_t size) {
    for (size_t at = hash & (num_slots - 1);; at = (at + 1) & (num_slots - 1)) {
        Pressed *pressed = slots[at];
        if (!pressed || (pressed->hash == hash && pressed->size == size && !memcmp(pressed->key, key, sizeof(int32_t) * (size_t)size)))
            return slots + at;
    }
}

static int grow(Engine *engine) {
    if (engine->num_pressed * 2 < engine->num_pressed_slots) return DONE;
    size_t num_slots = engine->num_pressed_slots ? 2 * engine->num_pressed_slots : FIRST_SLOTS;
    Pressed **slots = calloc(num_slots, sizeof(Pressed *));
    if (!slots) return NO_MEMORY;
    for (size_t i = 0; i < engine->num_pressed_slots; i++) {
        Pressed *pressed = engine->pressed[i];
        if (pressed) *slot_of(slots, num_slots, pressed->hash, pressed->key, pressed->size) = pressed;
    }
    engine->word_bytes += sizeof(Pressed *) * (num_slots - engine->num_pressed_slots);
    free(engine->pressed);
    engine->pressed = slots;
    engine->num_pressed_slots = num_slots;
    return DONE;
}

/* Let one box take the place of those of the last cluster, from `first_box` on, if they leave the strip; ask for it if it is new. */
int press(Engine *engine, int font, int32_t first_box) {
    Box *boxes = engine->boxes.memory;
    const BoxRows *rows = engine->box_rows.memory;
    int32_t count = engine->num_boxes - first_box, leaves = 0;
    for (int32_t i = first_box; i < engine->num_boxes; i++)
        leaves |= rows[i].y < 0 || rows[i].y + rows[i].rows > engine->height;
    if (!leaves) return DONE;
    int32_t size = 3 * count + 1, *key;
    if (reserve(&engine->canvas, sizeof(int32_t) * (size_t)size) || grow(engine)) return NO_MEMORY;
    key = engine->canvas.memory;
    for (int32_t i = 0; i < count; i++) {
        key[3 * i] = (int32_t)rows[first_box + i].id;
        key[3 * i + 1] = boxes[first_box + i].x - boxes[first_box].x;
        key[3 * i + 2] = rows[first_box + i].y;
    }
    key[3 * count] = font;
    const Pressed *pressed =
        *slot_of(engine->pressed, engine->num_pressed_slots, hash_of(0, (const uint32_t *)key, size), key, size);
    if (!pressed) {
        if (size + 1 > WANTED_AT_A_TIME) engine->cannot_press = 1;
        if (engine->num_to_press + size + 1 > WANTED_AT_A_TIME) return DONE; /* the next time */
        engine->to_press[engine->num_to_press++] = size;
        memcpy(engine->to_press + engine->num_to_press, key, sizeof(int32_t) * (size_t)size);
        engine->num_to_press += size;
        return DONE;
    }
    boxes[first_box] = (Box){pressed->ink, boxes[first_box].x + pressed->left, pressed->columns};
    engine->num_boxes = first_box + 1;
    return DONE;
}

/* Hand over a pressed cluster, by its key: coverage (columns, height). */
EXPORT int pixel_lm_set_pressed(Engine *engine, const int32_t *key, int32_t size, int32_t left, int32_t columns, const uint8_t *ink) {
    if (grow(engine)) return NO_MEMORY;
    uint64_t hash = hash_of(0, (const uint32_t *)key, size);
    Pressed **slot = slot_of(engine->pressed, engine->num_pressed_slots, hash, key, size);
    if (*slot) return DONE;
    size_t key_bytes = sizeof(int32_t) * (size_t)size, ink_bytes = (size_t)columns * (size_t)engine->height;
    Pressed *pressed = allocate(engine, sizeof(Pressed) + key_bytes + ink_bytes);
    if (!pressed) return NO_MEMORY;
    pressed->hash = hash;
    pressed->left = left;
    pressed->columns = columns;
    pressed->size = size;
    pressed->key = (int32_t *)(pressed + 1);
    pressed->ink = (uint8_t *)(pressed->key + size);
    memcpy(pressed->key, key, key_bytes);
    memcpy(pressed->ink, ink, ink_bytes);
    *slot = pressed;
    engine->num_pressed++;
    return DONE;
}
