/* Laying out a line: the calls that Python makes, in the order in which it makes them. */

#include "lines.h"
#include "sources.h" /* made by hatch_build.py: PIXEL_LM_SOURCES, a digest of these files */

#include <stdlib.h>
#include <string.h>

enum { LONGEST_LINE = 1 << 16, MOST_PLACES = 512, ZERO_WIDTH_JOINER = 0x200d };

EXPORT void pixel_lm_free(Engine *engine) {
    if (!engine) return;
    forget_words(engine);
    for (int font = 0; font < 256; font++) {
        free_glyphs(engine->fonts + font);
        if (engine->fonts[font].hb) engine->hb.font_destroy(engine->fonts[font].hb);
    }
    for (int page = 0; page < 0x1100; page++) free(engine->pages[page]);
    Growing *growing[] = {&engine->places, &engine->levels, &engine->runs, &engine->pieces, &engine->boxes, &engine->box_rows, &engine->shaped, &engine->types,
                          &engine->kept, &engine->tokens, &engine->missing, &engine->text, &engine->wanted, &engine->items, &engine->canvas, &engine->line};
    for (size_t i = 0; i < sizeof growing / sizeof *growing; i++) free(growing[i]->memory);
    if (engine->buffer) engine->hb.buffer_destroy(engine->buffer);
    free(engine);
}

/* An engine for strips of `height` rows; NULL without memory. Words are forgotten when they take more than `max_word_bytes`. */
EXPORT Engine *pixel_lm_new(const HarfBuzz *hb, int32_t height, int32_t fit, int64_t max_word_bytes) {
    Engine *engine = calloc(1, sizeof(Engine));
    if (!engine) return NULL;
    engine->hb = *hb;
    engine->height = height;
    engine->fit = fit;
    engine->max_word_bytes = (size_t)max_word_bytes;
    engine->buffer = hb->buffer_create();
    return engine;
}

EXPORT int pixel_lm_set_character(Engine *engine, uint32_t codepoint, const Character *properties) {
    Character **page = &engine->pages[codepoint >> 8];
    if (!*page) *page = calloc(256, sizeof(Character));
    if (!*page) return NO_MEMORY;
    Character *c = &(*page)[codepoint & 255];
    *c = *properties;
    c->flags |= KNOWN;
    c->kind = c->font | (uint32_t)c->script << 8 | (uint32_t)c->bidi << 16 | (uint32_t)c->flags << 24;
    if (c->bracket) c->kind |= 0x80u << 16; /* classes are ASCII letters */
    return DONE;
}

EXPORT void pixel_lm_set_script(Engine *engine, int32_t number, const Script *script) { engine->scripts[number] = *script; }

/* Open a font file for shaping. */
EXPORT int pixel_lm_open_font(Engine *engine, int32_t number, const char *path, int32_t index, int32_t scale) {
    FontFace *face = &engine->fonts[number];
    if (face->opened) return DONE;
    void *blob = engine->hb.blob_create_from_file(path);
    void *hb_face = engine->hb.face_create(blob, (unsigned int)index);
    engine->hb.blob_destroy(blob);
    face->num_glyphs = engine->hb.face_get_glyph_count(hb_face);
    face->glyphs = face->num_glyphs ? calloc(face->num_glyphs, sizeof(Glyph *)) : NULL;
    if (face->glyphs) {
        face->hb = engine->hb.font_create(hb_face);
        engine->hb.font_set_scale(face->hb, scale, scale);
        face->opened = 1;
    }
    engine->hb.face_destroy(hb_face);
    return face->opened ? DONE : NO_MEMORY;
}

/* Say where the baselines of 256 fonts lie in lines with these fonts; returns the number of the place, -1 without memory. */
EXPORT int32_t pixel_lm_set_place(Engine *engine, const LinePlace *place) {
    if (engine->num_places == MOST_PLACES) { /* begin anew: hostile text mixes fonts in ever new ways */
        engine->num_places = 0;
        engine->generation++;
        engine->stage = NOTHING;
    }
    if (reserve(&engine->places, sizeof(LinePlace) * ((size_t)engine->num_places + 1))) return -1;
    ((LinePlace *)engine->places.memory)[engine->num_places] = *place;
    return engine->num_places++;
}

/* What the words take that are remembered. */
EXPORT int64_t pixel_lm_word_bytes(const Engine *engine) { return (int64_t)engine->word_bytes; }

EXPORT void pixel_lm_forget(Engine *engine) { forget_words(engine); }

static int look_up_characters(Engine *engine, const uint32_t *text, int32_t length) {
    Summary summary = {0};
    uint32_t last[2] = {0, 0}; /* kinds of the last characters, most often letters and the space; no kind is 0 */
    engine->num_wanted = 0;
    for (int32_t i = 0; i < length; i++) {
        if (text[i] > 0x10ffff) return NOT_FOR_US;
        const Character *c = engine->pages[text[i] >> 8];
        if (!c || !(c += text[i] & 255)->kind) {
            if (want(engine, text[i])) return NO_MEMORY;
            continue;
        }
        if (c->kind == last[0] || c->kind == last[1]) continue;
        last[1] = last[0];
        last[0] = c->kind;
        summary.flags |= c->flags;
        summary.several_scripts |= c->script && summary.script && c->script != summary.script;
        if (c->script) summary.script = c->script;
        if (!(c->flags & FOLLOWS)) {
            if (!summary.num_fonts) summary.font = c->font;
            if (summary.num_fonts < 2) summary.num_fonts += !summary.num_fonts || c->font != summary.font;
        }
        if (c->bidi == 'R' || c->bidi == 'A' || c->bidi == 'D') summary.right_to_left = 1;
        if (!summary.strong && (c->bidi == 'L' || c->bidi == 'R' || c->bidi == 'A')) summary.strong = c->bidi;
        summary.has_brackets |= c->bracket != 0;
    }
    engine->summary = summary;
    if (summary.flags & REFUSED) return NOT_FOR_US;
    return engine->num_wanted ? NEEDS_CHARACTERS : DONE;
}

static int joins_emoji(const Engine *engine, const uint32_t *text, int32_t length) {
    for (int32_t i = 0; i < length; i++)
        if (text[i] == ZERO_WIDTH_JOINER && ((i && character(engine, text[i - 1])->flags & EMOJI) ||
                                             (i + 1 < length && character(engine, text[i + 1])->flags & EMOJI)))
            return 1;
    return 0;
}

static int find_place(Engine *engine, uint8_t first_script, int32_t first_font) {
    uint64_t fonts[4] = {0, 0, 0, 0};
    int several = 0;
    for (int32_t r = 0; r < engine->num_runs; r++) {
        uint8_t font = ((Run *)engine->runs.memory)[r].font;
        fonts[font >> 6] |= (uint64_t)1 << (font & 63);
        several |= font != first_font;
    }
    int32_t anchor = several && engine->scripts[first_script].flags & IDEOGRAPHIC ? first_font : -1;
    const LinePlace *places = engine->places.memory;
    for (engine->place = engine->num_places - 1; engine->place >= 0; engine->place--) {
        const LinePlace *place = places + engine->place;
        if (place->anchor == anchor && !memcmp(place->fonts, fonts, sizeof fonts)) return DONE;
    }
    uint32_t *wanted;
    engine->num_wanted = 0;
    if (reserve(&engine->wanted, sizeof(uint32_t) * 9)) return NO_MEMORY;
    wanted = engine->wanted.memory;
    for (int i = 0; i < 4; i++) {
        wanted[2 * i] = (uint32_t)fonts[i];
        wanted[2 * i + 1] = (uint32_t)(fonts[i] >> 32);
    }
    wanted[8] = (uint32_t)anchor;
    engine->num_wanted = 9;
    return NEEDS_PLACE;
}

/* Everything but where the ink lies. */
static int shape_line(Engine *engine, const uint32_t *text, int32_t length, int32_t base_level) {
    engine->generation++;
    engine->num_runs = engine->num_pieces = 0;
    engine->num_shaped = 0;
    engine->by_words = 1;
    if (length < 1 || length > LONGEST_LINE) return NOT_FOR_US;
    if (engine->word_bytes > engine->max_word_bytes) forget_words(engine);
    int status = look_up_characters(engine, text, length);
    if (status) return status;
    const Summary *summary = &engine->summary;
    if (summary->flags & JOINER && summary->flags & EMOJI && joins_emoji(engine, text, length)) return NOT_FOR_US;
    if (base_level < 0) base_level = summary->strong == 'R' || summary->strong == 'A';
    int32_t num_items, first_font;
    status = split_into_items(engine, text, length, base_level, &num_items);
    if (status) return status;
    uint8_t first_script = ((Item *)engine->items.memory)->script;
    status = order_runs(engine, text, num_items, &first_font);
    if (!status) status = find_place(engine, first_script, first_font);
    if (status) return status;
    engine->num_wanted = 0;
    for (int32_t r = 0; r < engine->num_runs; r++) {
        uint8_t font = ((Run *)engine->runs.memory)[r].font;
        if (!engine->fonts[font].opened && want(engine, font)) return NO_MEMORY;
    }
    if (engine->num_wanted) return NEEDS_FONTS;
    return shape_runs(engine, text, length);
}

/* Put what a call found into `answer`. */
static int answer_with(const Engine *engine, int status, uint32_t *answer) {
    if (status == DONE) {
        answer[0] = engine->generation;
        answer[1] = (uint32_t)engine->width;
        answer[2] = (uint32_t)engine->ink_left;
        answer[3] = (uint32_t)engine->ink_right;
        answer[4] = (uint32_t)engine->num_glyphs;
        answer[5] = (uint32_t)(engine->by_words && engine->num_runs == 1 && ((Run *)engine->runs.memory)->level % 2 == 0);
        answer[6] = (uint32_t)engine->place;
        answer[7] = (uint32_t)engine->num_tokens;
    } else if (status == NEEDS_PRESSED) {
        answer[0] = (uint32_t)engine->num_to_press;
        memcpy(answer + 1, engine->to_press, sizeof(int32_t) * (size_t)engine->num_to_press);
    } else if (status < NOT_FOR_US) {
        answer[0] = (uint32_t)engine->num_wanted;
        memcpy(answer + 1, engine->wanted.memory, sizeof(uint32_t) * (size_t)engine->num_wanted);
    }
    return status;
}

/* Lay out a line: 32-bit code points, level 0 or 1, or -1 for that of the first strong character.

   After DONE the results are in `answer`: generation, width, first column of ink (0 or less), end of ink, number of glyphs,
   whether the line is one run, from left to right, of words that were looked up, the number of its place, and how many words it has. After NEEDS_… it holds the number of things
   that are to be handed over before the call is repeated, and these: characters (code points), fonts (numbers), glyphs
   (font << 24 | number), the place (eight halves of a set of fonts, least significant first, and the anchor), or clusters to be pressed
   into the strip (for each the size of its key, and the key: see `Pressed`). */
EXPORT int pixel_lm_lay_out(Engine *engine, const uint32_t *text, int32_t length, int32_t base_level, uint32_t *answer) {
    size_t size = sizeof(uint32_t) * (size_t)(length > 0 ? length : 0);
    const Request request = {length, base_level};
    int is_known = engine->stage != NOTHING && !memcmp(&request, &engine->request, sizeof request) &&
                   !memcmp(text, engine->line.memory, size);
    if (!is_known) {
        engine->stage = NOTHING;
        int status = reserve(&engine->line, size);
        if (!status) status = shape_line(engine, text, length, base_level);
        if (status) return answer_with(engine, status, answer);
        memcpy(engine->line.memory, text, size);
        engine->request = request;
        engine->stage = SHAPED;
    }
    int status = engine->stage == SHAPED ? measure(engine) : DONE;
    if (status == DONE) engine->stage = MEASURED;
    return answer_with(engine, status, answer);
}

/* What this library was made of. */
EXPORT const char *pixel_lm_sources(void) { return PIXEL_LM_SOURCES; }

/* Where the characters of the line laid out last lie: for each cluster, from left to right, the index of its first character, that
   after its last, its x and its width in pixels, and whether its text runs from right to left. `clusters` has room for as many as
   there are glyphs; returns their number, or minus one if the line is another. */
EXPORT int32_t pixel_lm_clusters(const Engine *engine, uint32_t generation, PlacedCluster *clusters) {
    if (generation != engine->generation) return -1;
    int32_t pen = 0;
    PlacedCluster *cluster = clusters - 1;
    for (int32_t r = 0; r < engine->num_runs; r++) {
        const Run *run = (const Run *)engine->runs.memory + r;
        int32_t rtl = run->level % 2;
        PlacedCluster *first = cluster + 1;
        for (int32_t p = run->first_piece; p < run->first_piece + run->num_pieces; p++) {
            const Piece *piece = (const Piece *)engine->pieces.memory + p;
            const Shaped *shaped = shaped_of(engine, piece);
            for (int32_t i = 0; i < piece->count; pen += shaped[i++].advance) {
                int32_t start = shaped[i].cluster + piece->offset, end = run->end;
                if (cluster >= first && cluster->start == start) {
                    cluster->width += shaped[i].advance;
                    continue;
                }
                if (cluster >= first && rtl) end = cluster->start;
                if (cluster >= first && !rtl) cluster->end = start;
                *++cluster = (PlacedCluster){start, end, pen, shaped[i].advance, rtl};
            }
        }
    }
    return (int32_t)(cluster - clusters) + 1;
}

/* x of the centre of each character of the line laid out last, where clusters have one character; the others are put into `clusters`, as
   by `pixel_lm_clusters`. Returns their number. */
EXPORT int32_t pixel_lm_centers(const Engine *engine, uint32_t generation, int64_t *centers, PlacedCluster *clusters) {
    int32_t count = pixel_lm_clusters(engine, generation, clusters), num_long = 0;
    for (int32_t i = 0; i < count; i++) {
        const PlacedCluster *cluster = clusters + i;
        if (cluster->end - cluster->start == 1) centers[cluster->start] = cluster->x + (cluster->width >> 1);
        else clusters[num_long++] = *cluster;
    }
    return count < 0 ? count : num_long;
}

/* Where the words of the line laid out last begin, which is one run of them: the index of the first character and x in pixels, in pairs; the
   end of the line is the last of them. Returns the number of words, or minus one if the line is another. */
EXPORT int32_t pixel_lm_words(const Engine *engine, uint32_t generation, int32_t *begins) {
    if (generation != engine->generation) return -1;
    const Token *tokens = engine->tokens.memory;
    int32_t pen = 0;
    for (int32_t i = 0; i < engine->num_tokens; i++) {
        *begins++ = tokens[i].start;
        *begins++ = pen;
        for (int32_t g = 0; g < tokens[i].word->count; g++) pen += tokens[i].word->shaped[g].advance;
    }
    *begins++ = engine->request.length;
    *begins = pen;
    return engine->num_tokens;
}

/* How many characters of the line laid out last come before the first cluster that does not fit into `limit` pixels, counted in
   reading order; minus one if the line is another, minus two without memory. */
EXPORT int32_t pixel_lm_end_that_fits(Engine *engine, uint32_t generation, int32_t limit) {
    if (generation != engine->generation) return -1;
    int32_t length = engine->request.length;
    if (reserve(&engine->kept, sizeof(int32_t) * (size_t)length)) return -2;
    int32_t *widths = engine->kept.memory; /* of the cluster that begins with each character */
    memset(widths, 0, sizeof(int32_t) * (size_t)length);
    for (int32_t p = 0; p < engine->num_pieces; p++) {
        const Piece *piece = (const Piece *)engine->pieces.memory + p;
        const Shaped *shaped = shaped_of(engine, piece);
        for (int32_t i = 0; i < piece->count; i++) widths[shaped[i].cluster + piece->offset] += shaped[i].advance;
    }
    for (int32_t i = 0; i < length; i++) {
        limit -= widths[i];
        if (limit < 0) return i;
    }
    return length;
}
