/* Shaping: words that were shaped before are looked up.

   In nearly every font a word is shaped the same wherever it stands, so a word with the spaces after it is shaped once and
   remembered. HarfBuzz itself says where this does not hold (a glyph that is unsafe to break before): a run with such a word is
   shaped as a whole, as are runs of scripts without spaces. */

#include "lines.h"

#include <stdlib.h>
#include <string.h>

enum { LONGEST_WORD = 64, FIRST_SLOTS = 1 << 12, DEPENDS = -1 };

typedef struct {
    int32_t start, length;
} Token;

static Word **slot_of(Engine *engine, uint64_t hash, uint32_t context, const uint32_t *text, int32_t length) {
    size_t mask = engine->num_slots - 1;
    for (size_t at = hash & mask;; at = (at + 1) & mask) {
        Word *word = engine->words[at];
        if (!word || (word->hash == hash && word->context == context && word->length == length &&
                      !memcmp(word->text, text, sizeof(uint32_t) * (size_t)length)))
            return engine->words + at;
    }
}

static int grow(Engine *engine) {
    if (engine->words && engine->num_words * 2 < engine->num_slots) return DONE;
    size_t num_slots = engine->num_slots ? engine->num_slots * 2 : FIRST_SLOTS;
    Word **words = calloc(num_slots, sizeof(Word *));
    if (!words) return NO_MEMORY;
    for (size_t i = 0; i < engine->num_slots; i++) {
        Word *word = engine->words[i];
        if (!word) continue;
        size_t at = word->hash & (num_slots - 1);
        while (words[at]) at = (at + 1) & (num_slots - 1);
        words[at] = word;
    }
    engine->word_bytes += sizeof(Word *) * (num_slots - engine->num_slots);
    free(engine->words);
    engine->words = words;
    engine->num_slots = num_slots;
    return DONE;
}

void forget_words(Engine *engine) {
    while (engine->blocks) {
        Block *next = engine->blocks->next;
        free(engine->blocks);
        engine->blocks = next;
    }
    free(engine->words);
    free(engine->pressed);
    engine->words = NULL;
    engine->pressed = NULL;
    engine->num_slots = engine->num_words = engine->num_pressed_slots = engine->num_pressed = engine->word_bytes = 0;
    engine->generation++; /* the line laid out last may consist of them */
}

/* -- HarfBuzz ------------------------------------------------------------------------------------------------------------------------ */

typedef struct {
    HbInfo *infos;
    HbPosition *positions;
    unsigned int count;
} Glyphs;

static Glyphs shape(Engine *engine, const Run *run, const uint32_t *text, int32_t length, int32_t start, int32_t size, int begins) {
    const HarfBuzz *hb = &engine->hb;
    const Script *script = &engine->scripts[run->script];
    hb->buffer_reset(engine->buffer);
    hb->buffer_add_utf32(engine->buffer, text, length, (unsigned int)start, size);
    hb->buffer_set_direction(engine->buffer, run->level % 2 ? HB_RIGHT_TO_LEFT : HB_LEFT_TO_RIGHT);
    hb->buffer_set_script(engine->buffer, script->tag);
    if (begins) hb->buffer_set_flags(engine->buffer, HB_BEGINNING_OF_TEXT); /* a mark without a base gets a dotted circle */
    hb->shape(engine->fonts[run->font].hb, engine->buffer, &script->feature, script->feature.tag ? 1 : 0);
    Glyphs glyphs;
    glyphs.infos = hb->buffer_get_glyph_infos(engine->buffer, &glyphs.count);
    glyphs.positions = hb->buffer_get_glyph_positions(engine->buffer, &glyphs.count);
    return glyphs;
}

static int put(Engine *engine, const Run *run, const Glyphs *glyphs, unsigned int index, int32_t origin, Shaped *target) {
    const HbPosition *position = glyphs->positions + index;
    target->glyph = glyph_of(engine, run->font, glyphs->infos[index].codepoint);
    target->x = (position->x_offset + 512) >> 10;
    target->rise = position->y_offset;
    target->advance = (position->x_advance + 512) >> 10;
    target->cluster = (int32_t)glyphs->infos[index].cluster - origin;
    return target->glyph ? DONE : NO_MEMORY;
}

/* -- runs ---------------------------------------------------------------------------------------------------------------------------- */

static int add_piece(Engine *engine, Run *run, const Shaped *word, size_t first, int32_t count, int32_t offset) {
    if (reserve(&engine->pieces, sizeof(Piece) * ((size_t)engine->num_pieces + 1))) return NO_MEMORY;
    Piece *piece = (Piece *)engine->pieces.memory + engine->num_pieces++;
    piece->word = word;
    piece->first = first;
    piece->count = count;
    piece->offset = offset;
    run->num_pieces++;
    return DONE;
}

static int shape_whole(Engine *engine, const uint32_t *text, int32_t length, Run *run) {
    Glyphs glyphs = shape(engine, run, text, length, run->start, run->end - run->start, run->start == 0);
    size_t first = engine->num_shaped;
    if (reserve(&engine->shaped, sizeof(Shaped) * (first + glyphs.count))) return NO_MEMORY;
    for (unsigned int i = 0; i < glyphs.count; i++)
        if (put(engine, run, &glyphs, i, 0, (Shaped *)engine->shaped.memory + first + i)) return NO_MEMORY;
    engine->num_shaped += glyphs.count;
    engine->by_words = 0;
    return add_piece(engine, run, NULL, first, (int32_t)glyphs.count, 0);
}

/* Whether a letter may take another form beside this character: not so beside spaces, digits and punctuation. */
static int may_join(const Engine *engine, uint32_t codepoint) {
    uint8_t code = character(engine, codepoint)->bidi;
    return code == 'A' || code == 'R' || code == 'L' || code == 'M' || code == 'b';
}

/* The words of a run, each with the spaces after it. 0 if some of it must not be looked up. */
static int32_t split(Engine *engine, const uint32_t *text, int32_t length, const Run *run, Token **result) {
    const Script *script = &engine->scripts[run->script];
    if (script->flags & WHOLE_RUNS) return 0;
    if (script->flags & JOINS) {
        if (run->start && may_join(engine, text[run->start - 1]) && may_join(engine, text[run->start])) return 0;
        if (run->end < length && may_join(engine, text[run->end]) && may_join(engine, text[run->end - 1])) return 0;
    }
    if (reserve(&engine->tokens, 2 * sizeof(Token) * (size_t)(run->end - run->start))) return 0;
    Token *tokens = engine->tokens.memory;
    int32_t count = 0;
    for (int32_t start = run->start; start < run->end;) {
        int32_t end = start;
        while (end < run->end && text[end] != ' ') end++;
        if (end > start) {
            if (character(engine, text[start])->flags & NO_START) return 0;
            if (character(engine, text[end - 1])->flags & JOINER) return 0;
        }
        while (end < run->end && text[end] == ' ') end++;
        if (end - start > LONGEST_WORD) return 0;
        tokens[count].start = start;
        tokens[count++].length = end - start;
        start = end;
    }
    *result = tokens;
    return count;
}

static int remember(Engine *engine, uint32_t context, const uint32_t *text, const Token *token, const Run *run, const Glyphs *glyphs,
                    unsigned int first, int32_t count, int32_t origin) {
    if (grow(engine)) return NO_MEMORY;
    const uint32_t *key = text + token->start;
    uint64_t hash = hash_of(context, key, token->length);
    Word **slot = slot_of(engine, hash, context, key, token->length);
    if (*slot) return DONE;
    size_t size = (sizeof(Word) + sizeof(uint32_t) * (size_t)token->length + 7) & ~(size_t)7;
    Word *word = allocate(engine, size + sizeof(Shaped) * (size_t)(count > 0 ? count : 0));
    if (!word) return NO_MEMORY;
    word->hash = hash;
    word->context = context;
    word->length = token->length;
    word->count = count;
    memcpy(word->text, key, sizeof(uint32_t) * (size_t)token->length);
    word->shaped = (Shaped *)((uint8_t *)word + size);
    for (int32_t i = 0; i < count; i++)
        if (put(engine, run, glyphs, first + (unsigned int)i, origin, word->shaped + i)) return NO_MEMORY;
    *slot = word;
    engine->num_words++;
    return DONE;
}

/* Shape tokens, a space before each of them, and remember those that come out the same anywhere. */
static int learn(Engine *engine, const uint32_t *text, const Run *run, uint32_t context, const Token *tokens, int32_t count) {
    size_t size = 1;
    for (int32_t i = 0; i < count; i++) size += (size_t)tokens[i].length;
    if (reserve(&engine->text, sizeof(uint32_t) * size)) return NO_MEMORY;
    uint32_t *line = engine->text.memory;
    line[0] = ' ';
    size_t filled = 1;
    for (int32_t i = 0; i < count; i++) {
        memcpy(line + filled, text + tokens[i].start, sizeof(uint32_t) * (size_t)tokens[i].length);
        filled += (size_t)tokens[i].length;
    }
    Glyphs glyphs = shape(engine, run, line, (int32_t)size, 0, (int32_t)size, 0);
    int rtl = run->level % 2;
    /* Glyphs lie from left to right; clusters rise, or fall where the text runs to the left. Go through them in reading order. */
    unsigned int at = 0;
    int32_t origin = 1;
#define GLYPH(n) (rtl ? glyphs.count - 1 - (n) : (n))
    while (at < glyphs.count && glyphs.infos[GLYPH(at)].cluster < 1) at++;
    int safe = 0, next_safe = 0;
    for (int32_t i = 0; i < count; i++) {
        int32_t end = origin + tokens[i].length;
        unsigned int first = at;
        if (!i) {
            next_safe = at < glyphs.count && glyphs.infos[GLYPH(at)].cluster == (uint32_t)origin;
            for (unsigned int n = at; n < glyphs.count && glyphs.infos[GLYPH(n)].cluster == (uint32_t)origin; n++)
                next_safe &= !(glyphs.infos[GLYPH(n)].mask & HB_UNSAFE_TO_BREAK);
        }
        safe = next_safe;
        while (at < glyphs.count && glyphs.infos[GLYPH(at)].cluster < (uint32_t)end) at++;
        next_safe = i + 1 == count ? at == glyphs.count : at < glyphs.count && glyphs.infos[GLYPH(at)].cluster == (uint32_t)end;
        if (i + 1 < count)
            for (unsigned int n = at; n < glyphs.count && glyphs.infos[GLYPH(n)].cluster == (uint32_t)end; n++)
                next_safe &= !(glyphs.infos[GLYPH(n)].mask & HB_UNSAFE_TO_BREAK);
        int status = DONE;
        if (!safe) status = remember(engine, context, text, tokens + i, run, &glyphs, 0, DEPENDS, 0);
        else if (next_safe)
            status = remember(engine, context, text, tokens + i, run, &glyphs, rtl ? glyphs.count - at : first, (int32_t)(at - first), origin);
        /* else: the next one may have changed this one, which is shaped again by itself. */
        if (status) return status;
        origin = end;
    }
#undef GLYPH
    return DONE;
}

/* Shape the words of a run that are new; those with spaces after them together, of the others one with them. */
static int learn_new(Engine *engine, const uint32_t *text, const Run *run, uint32_t context, const Token *tokens, int32_t count) {
    if (grow(engine)) return NO_MEMORY;
    Token *missing = (Token *)tokens + (run->end - run->start); /* the second half of that memory */
    int32_t num_missing = 0;
    for (int32_t i = 0; i < count; i++) {
        const uint32_t *key = text + tokens[i].start;
        uint64_t hash = hash_of(context, key, tokens[i].length);
        if (!*slot_of(engine, hash, context, key, tokens[i].length)) missing[num_missing++] = tokens[i];
    }
    if (!num_missing) return DONE;
    int status = learn(engine, text, run, context, missing, num_missing);
    for (int32_t i = 0; i < num_missing && !status; i++) {
        const uint32_t *key = text + missing[i].start;
        uint64_t hash = hash_of(context, key, missing[i].length);
        if (!*slot_of(engine, hash, context, key, missing[i].length)) status = learn(engine, text, run, context, missing + i, 1);
    }
    return status;
}

int shape_run(Engine *engine, const uint32_t *text, int32_t length, Run *run) {
    run->first_piece = engine->num_pieces;
    run->num_pieces = 0;
    if (run->start == run->end) return DONE;
    Token *tokens = NULL;
    int32_t count = split(engine, text, length, run, &tokens);
    if (!count) return shape_whole(engine, text, length, run);
    uint32_t rtl = run->level % 2, context = run->font | (uint32_t)run->script << 8 | rtl << 16;
    for (int attempt = 0; attempt < 2; attempt++) {
        int32_t known = 0;
        int32_t pieces_before = engine->num_pieces;
        for (; known < count && engine->num_slots; known++) {
            const Token *token = tokens + (rtl ? count - 1 - known : known);
            const uint32_t *key = text + token->start;
            const Word *word = *slot_of(engine, hash_of(context, key, token->length), context, key, token->length);
            if (!word) break;
            if (word->count == DEPENDS) {
                engine->num_pieces = pieces_before;
                run->num_pieces = 0;
                return shape_whole(engine, text, length, run);
            }
            if (add_piece(engine, run, word->shaped, 0, word->count, token->start)) return NO_MEMORY;
        }
        if (known == count) return DONE;
        engine->num_pieces = pieces_before;
        run->num_pieces = 0;
        if (attempt || learn_new(engine, text, run, context, tokens, count)) return NO_MEMORY;
    }
    return NO_MEMORY; /* not reached */
}
