/* Shaping: words that were shaped before are looked up.

   In nearly every font a word is shaped the same wherever it stands, so a word with the spaces after it is shaped once and
   remembered; so is a stretch of a script without spaces. HarfBuzz itself says where this does not hold (a glyph that is unsafe to
   break before): a run with such a word is shaped as a whole. */

#include "lines.h"

#include <stdlib.h>
#include <string.h>

enum { LONGEST_WORD = 64, FIRST_SLOTS = 1 << 12, DEPENDS = -1 };

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
    engine->stage = NOTHING;
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

/* -- runs as they are ---------------------------------------------------------------------------------------------------------------- */

static int add_piece(Engine *engine, Run *run, const Shaped *word, size_t first, int32_t count, int32_t offset) {
    if (reserve(&engine->pieces, sizeof(Piece) * ((size_t)engine->num_pieces + 1))) return NO_MEMORY;
    ((Piece *)engine->pieces.memory)[engine->num_pieces++] = (Piece){word, first, count, offset};
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

/* -- runs as words ------------------------------------------------------------------------------------------------------------------- */

/* Whether a letter may take another form beside this character: not so beside spaces, digits and punctuation. */
static int may_join(const Engine *engine, uint32_t codepoint) {
    uint8_t code = character(engine, codepoint)->bidi;
    return code == 'A' || code == 'R' || code == 'L' || code == 'M' || code == 'b';
}

/* Cut a run into words, each with the spaces after it. None if some of it must not be looked up. */
static int split(Engine *engine, const uint32_t *text, int32_t length, Run *run) {
    const Script *script = &engine->scripts[run->script];
    run->first_token = engine->num_tokens;
    run->num_tokens = 0;
    if (script->flags & JOINS) {
        if (run->start && may_join(engine, text[run->start - 1]) && may_join(engine, text[run->start])) return DONE;
        if (run->end < length && may_join(engine, text[run->end]) && may_join(engine, text[run->end - 1])) return DONE;
    }
    uint32_t context = run->font | (uint32_t)run->script << 8 | (uint32_t)(run->level % 2) << 16;
    int32_t count = 0;
    for (int32_t start = run->start; start < run->end;) {
        int32_t end = start;
        while (end < run->end && text[end] != ' ') end++;
        if (end > start) {
            if (character(engine, text[start])->flags & NO_START) return DONE;
            if (character(engine, text[end - 1])->flags & JOINER) return DONE;
        }
        while (end < run->end && text[end] == ' ') end++;
        if (end - start > LONGEST_WORD) return DONE;
        if (reserve(&engine->tokens, sizeof(Token) * ((size_t)(run->first_token + count) + 1))) return NO_MEMORY;
        uint64_t hash = hash_of(context, text + start, end - start);
        PREFETCH(engine->words + (hash & (engine->num_slots - 1)));
        ((Token *)engine->tokens.memory)[run->first_token + count++] = (Token){NULL, hash, run, context, start, end - start};
        start = end;
    }
    run->num_tokens = count;
    engine->num_tokens += count;
    return DONE;
}

/* `count` glyphs from `first` on, whose clusters count from `origin`; a `count` of DEPENDS stands for none. */
static int remember(Engine *engine, const uint32_t *text, Token *token, const Glyphs *glyphs, unsigned int first, int32_t count,
                    int32_t origin) {
    const uint32_t *key = text + token->start;
    Word **slot = slot_of(engine, token->hash, token->context, key, token->length);
    if (!*slot) {
        size_t size = (sizeof(Word) + sizeof(uint32_t) * (size_t)token->length + 7) & ~(size_t)7;
        Word *word = allocate(engine, size + sizeof(Shaped) * (size_t)(count > 0 ? count : 0));
        if (!word) return NO_MEMORY;
        word->hash = token->hash;
        word->context = token->context;
        word->length = token->length;
        word->count = count;
        memcpy(word->text, key, sizeof(uint32_t) * (size_t)token->length);
        word->shaped = (Shaped *)((uint8_t *)word + size);
        for (int32_t i = 0; i < count; i++)
            if (put(engine, token->run, glyphs, first + (unsigned int)i, origin, word->shaped + i)) return NO_MEMORY;
        *slot = word;
        engine->num_words++;
        if (grow(engine)) return NO_MEMORY;
        token->word = word;
    } else {
        token->word = *slot;
    }
    return DONE;
}

/* Whether text may be cut before the cluster of the glyph at `at` in reading order, and that cluster begins at `origin`. */
static int is_safe(const Glyphs *glyphs, int rtl, unsigned int at, int32_t origin) {
    int safe = 0;
    for (; at < glyphs->count; at++) {
        const HbInfo *info = glyphs->infos + (rtl ? glyphs->count - 1 - at : at);
        if (info->cluster != (uint32_t)origin) break;
        if (info->mask & HB_UNSAFE_TO_BREAK) return 0;
        safe = 1;
    }
    return safe;
}

/* Shape tokens of one context, a space before and after each of them, and remember those that come out the same anywhere. */
static int learn(Engine *engine, const uint32_t *text, Token *const *tokens, int32_t count) {
    size_t size = 1;
    for (int32_t i = 0; i < count; i++) size += (size_t)tokens[i]->length + 1;
    if (reserve(&engine->text, sizeof(uint32_t) * size)) return NO_MEMORY;
    uint32_t *line = engine->text.memory;
    int32_t filled = 0;
    line[filled++] = ' ';
    for (int32_t i = 0; i < count; i++) {
        memcpy(line + filled, text + tokens[i]->start, sizeof(uint32_t) * (size_t)tokens[i]->length);
        filled += tokens[i]->length;
        if (line[filled - 1] != ' ' && i + 1 < count) line[filled++] = ' ';
    }
    const Run *run = tokens[0]->run;
    Glyphs glyphs = shape(engine, run, line, filled, 0, filled, 0);
    int rtl = run->level % 2;
    /* Glyphs lie from left to right; clusters rise, or fall where the text runs to the left. `at` goes through them in reading order. */
    unsigned int at = 0;
    int32_t origin = 1;
    for (int32_t i = 0; i < count; i++) {
        while (at < glyphs.count && glyphs.infos[rtl ? glyphs.count - 1 - at : at].cluster < (uint32_t)origin) at++;
        unsigned int first = at;
        int32_t end = origin + tokens[i]->length;
        while (at < glyphs.count && glyphs.infos[rtl ? glyphs.count - 1 - at : at].cluster < (uint32_t)end) at++;
        int32_t num_glyphs = (int32_t)(at - first);
        int status = DONE;
        if (!is_safe(&glyphs, rtl, first, origin))
            status = remember(engine, text, tokens[i], &glyphs, 0, DEPENDS, 0);
        else if (end == filled || is_safe(&glyphs, rtl, at, end))
            status = remember(engine, text, tokens[i], &glyphs, rtl ? glyphs.count - at : first, num_glyphs, origin);
        /* else: what follows may have changed it; it is shaped again by itself. */
        if (status) return status;
        origin = line[end - 1] == ' ' ? end : end + 1;
    }
    return DONE;
}

/* Look up all words of the line. They lie all over the memory, so that each is called for before the first is needed. */
static void look_up(Engine *engine, const uint32_t *text) {
    Token *tokens = engine->tokens.memory;
    for (int32_t i = 0; i < engine->num_tokens; i++) PREFETCH(engine->words[tokens[i].hash & (engine->num_slots - 1)]);
    for (int32_t i = 0; i < engine->num_tokens; i++) {
        Token *token = tokens + i;
        token->word = *slot_of(engine, token->hash, token->context, text + token->start, token->length);
        if (token->word && token->word->count > 0) PREFETCH((const uint8_t *)token->word->shaped + 64);
    }
}

/* Shape the words of the line that are new, those of one context together. */
static int learn_new(Engine *engine, const uint32_t *text) {
    Token *tokens = engine->tokens.memory;
    if (reserve(&engine->missing, sizeof(Token *) * (size_t)engine->num_tokens)) return NO_MEMORY;
    Token **missing = engine->missing.memory;
    for (int32_t first = 0; first < engine->num_tokens; first++) {
        if (tokens[first].word) continue;
        int32_t count = 0;
        for (int32_t i = first; i < engine->num_tokens; i++)
            if (!tokens[i].word && tokens[i].context == tokens[first].context) missing[count++] = tokens + i;
        int status = learn(engine, text, missing, count);
        for (int32_t i = 0; i < count && !status; i++)
            if (!missing[i]->word) status = learn(engine, text, missing + i, 1);
        if (status) return status;
    }
    return DONE;
}

/* Find the glyphs of all runs. */
int shape_runs(Engine *engine, const uint32_t *text, int32_t length) {
    engine->num_tokens = 0;
    if (grow(engine)) return NO_MEMORY;
    Run *runs = engine->runs.memory;
    for (int32_t r = 0; r < engine->num_runs; r++)
        if (split(engine, text, length, runs + r)) return NO_MEMORY;
    look_up(engine, text);
    if (learn_new(engine, text)) return NO_MEMORY;
    const Token *tokens = engine->tokens.memory;
    for (int32_t r = 0; r < engine->num_runs; r++) {
        Run *run = runs + r;
        const Token *first = tokens + run->first_token;
        run->first_piece = engine->num_pieces;
        run->num_pieces = 0;
        int by_words = run->num_tokens > 0;
        for (int32_t i = 0; i < run->num_tokens; i++) by_words &= first[i].word->count != DEPENDS;
        int status = DONE;
        if (!by_words && run->start < run->end) status = shape_whole(engine, text, length, run);
        for (int32_t i = 0; i < run->num_tokens && by_words && !status; i++) {
            const Token *token = first + (run->level % 2 ? run->num_tokens - 1 - i : i);
            status = add_piece(engine, run, token->word->shaped, 0, token->word->count, token->start);
        }
        if (status) return status;
    }
    return DONE;
}
