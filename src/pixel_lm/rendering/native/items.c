/* Cutting a line into items of one level and script, and these into runs of one font, as in `itemize.py` and `font_choice.py`. */

#include "lines.h"

#include <string.h>

enum { MAX_PAIR_DEPTH = 128, NO_SCRIPT = 0 };

const Character *character(const Engine *engine, uint32_t codepoint) {
    return &engine->pages[codepoint >> 8][codepoint & 255];
}

/* Script of each character, one byte each, in `engine->types`. */
static int resolve_scripts(Engine *engine, const uint32_t *text, int32_t length) {
    if (reserve(&engine->types, (size_t)length)) return NO_MEMORY;
    uint8_t *scripts = engine->types.memory;
    struct {
        uint32_t opening;
        uint8_t script;
    } pairs[MAX_PAIR_DEPTH]; /* punctuation that waits for its partner, and the script that it has */
    int depth = 0, unsettled = 0; /* the first of this run whose script was not known */
    int32_t start = 0;
    uint8_t script = NO_SCRIPT;
    for (int32_t i = 0; i < length; i++) {
        const Character *c = character(engine, text[i]);
        uint8_t found = c->script;
        if (found == NO_SCRIPT) {
            if (c->flags & OPENS) {
                if (depth >= MAX_PAIR_DEPTH) depth = unsettled = 0;
                pairs[depth].opening = text[i];
                pairs[depth++].script = script;
                continue;
            }
            if (!(c->flags & CLOSES)) continue;
            while (depth && pairs[depth - 1].opening != c->partner) depth--;
            if (depth) found = pairs[depth - 1].script;
            if (unsettled > depth) unsettled = depth;
        }
        if (found != NO_SCRIPT && found != script) {
            if (script != NO_SCRIPT) {
                memset(scripts + start, script, (size_t)(i - start));
                start = i;
                unsettled = depth;
            }
            script = found;
            while (unsettled < depth) pairs[unsettled++].script = script;
        }
        if (c->script == NO_SCRIPT && depth) {
            depth--;
            if (unsettled > depth) unsettled = depth;
        }
    }
    memset(scripts + start, script, (size_t)(length - start));
    return DONE;
}

int split_into_items(Engine *engine, const uint32_t *text, int32_t length, int base_level, int32_t *num_items) {
    const Summary *summary = &engine->summary;
    if (!base_level && !summary->right_to_left && !summary->several_scripts) {
        if (reserve(&engine->items, sizeof(Item))) return NO_MEMORY;
        *(Item *)engine->items.memory = (Item){0, length, 0, summary->script};
        *num_items = 1;
        return DONE;
    }
    int status = resolve_levels(engine, text, length, base_level);
    if (!status) status = resolve_scripts(engine, text, length);
    if (status) return status;
    const uint8_t *levels = engine->levels.memory, *scripts = engine->types.memory;
    int32_t count = 0;
    for (int32_t start = 0; start < length;) {
        int32_t end = start + 1;
        while (end < length && levels[end] == levels[start] && scripts[end] == scripts[start]) end++;
        if (reserve(&engine->items, sizeof(Item) * ((size_t)count + 1))) return NO_MEMORY;
        ((Item *)engine->items.memory)[count++] = (Item){start, end, levels[start], scripts[start]};
        start = end;
    }
    *num_items = count;
    return DONE;
}

/* L2: from the highest level down to the lowest odd one, reverse what lies at that level or above. */
static void to_visual_order(Item *items, int32_t count) {
    int highest = 0, lowest_odd = 255;
    for (int32_t i = 0; i < count; i++) {
        if (items[i].level > highest) highest = items[i].level;
        if (items[i].level % 2 && items[i].level < lowest_odd) lowest_odd = items[i].level;
    }
    for (int level = highest; level >= lowest_odd; level--) {
        for (int32_t start = 0; start < count; start++) {
            if (items[start].level < level) continue;
            int32_t end = start;
            while (end < count && items[end].level >= level) end++;
            for (int32_t left = start, right = end - 1; left < right; left++, right--) {
                Item item = items[left];
                items[left] = items[right];
                items[right] = item;
            }
            start = end;
        }
    }
}

static int add_run(Engine *engine, const Item *item, int32_t start, int32_t end, uint8_t font) {
    if (reserve(&engine->runs, sizeof(Run) * ((size_t)engine->num_runs + 1))) return NO_MEMORY;
    Run *run = (Run *)engine->runs.memory + engine->num_runs++;
    memset(run, 0, sizeof(Run));
    run->start = start;
    run->end = end;
    run->font = font;
    run->script = item->script;
    run->level = item->level;
    return DONE;
}

/* Runs of an item in logical order. Spaces and the like between two fonts go to the one that is first in order. */
static int split_into_runs(Engine *engine, const uint32_t *text, const Item *item) {
    int font = -1;
    int32_t run_start = item->start, last = item->start; /* `last`: after the last character that is no space */
    for (int32_t i = item->start; i < item->end; i++) {
        const Character *c = character(engine, text[i]);
        if (c->flags & FOLLOWS) {
            if (text[i] != ' ') last = i + 1;
            continue;
        }
        if (font >= 0 && c->font != font) {
            int32_t stop = c->font < font ? last : i;
            if (add_run(engine, item, run_start, stop, (uint8_t)font)) return NO_MEMORY;
            run_start = stop;
        }
        font = c->font;
        last = i + 1;
    }
    return add_run(engine, item, run_start, item->end, (uint8_t)(font < 0 ? 0 : font));
}

/* All runs of a line from left to right, and the font of the first one in reading order. */
int order_runs(Engine *engine, const uint32_t *text, int32_t num_items, int32_t *first_font) {
    Item *items = engine->items.memory;
    engine->num_runs = 0;
    if (num_items == 1 && engine->summary.num_fonts < 2) {
        *first_font = engine->summary.font;
        return add_run(engine, items, items->start, items->end, engine->summary.font);
    }
    if (split_into_runs(engine, text, items)) return NO_MEMORY;
    *first_font = ((Run *)engine->runs.memory)->font;
    engine->num_runs = 0;
    to_visual_order(items, num_items);
    for (int32_t i = 0; i < num_items; i++) {
        int32_t first = engine->num_runs;
        if (split_into_runs(engine, text, items + i)) return NO_MEMORY;
        if (items[i].level % 2) {
            Run *runs = engine->runs.memory;
            for (int32_t left = first, right = engine->num_runs - 1; left < right; left++, right--) {
                Run run = runs[left];
                runs[left] = runs[right];
                runs[right] = run;
            }
        }
    }
    return DONE;
}
