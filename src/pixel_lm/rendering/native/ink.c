/* Glyphs → ink: where each lies, and the columns of the strip. */

#include "lines.h"

#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

enum { NO_INK = 255, WIDEST_LINE = 1 << 24 };

Glyph *glyph_of(Engine *engine, int font, uint32_t id) {
    FontFace *face = &engine->fonts[font];
    if (id >= face->num_glyphs) id = 0;
    if (!face->glyphs[id]) {
        face->glyphs[id] = calloc(1, sizeof(Glyph));
        if (face->glyphs[id]) face->glyphs[id]->id = id;
    }
    return face->glyphs[id];
}

/* The glyph's columns as high as the strip, its first row at row `y`; what lies outside is lost. */
static const uint8_t *place_glyph(const Engine *engine, Glyph *glyph, int32_t y) {
    size_t height = (size_t)engine->height;
    Placed *made = calloc(1, sizeof(Placed) + height * (size_t)glyph->columns);
    if (!made) return NULL;
    made->y = y;
    int32_t top = y > 0 ? y : 0, bottom = y + glyph->rows < engine->height ? y + glyph->rows : engine->height;
    for (int32_t column = 0; column < glyph->columns && top < bottom; column++)
        memcpy(made->ink + (size_t)column * height + top, glyph->alpha + (size_t)column * (size_t)glyph->rows + (top - y),
               (size_t)(bottom - top));
    made->next = glyph->placed;
    glyph->placed = made;
    return made->ink;
}

static const uint8_t *placed(const Engine *engine, Glyph *glyph, int32_t y) {
    /* All rows outside look the same. */
    if (y > engine->height) y = engine->height;
    if (y < -glyph->rows) y = -glyph->rows;
    for (const Placed *known = glyph->placed; known; known = known->next)
        if (known->y == y) return known->ink;
    return place_glyph(engine, glyph, y);
}

/* Place the glyphs of a run, the first at column `pen`; where the next run begins. */
static int place_run(Engine *engine, Run *run, int32_t *pen_of_line) {
    const Piece *pieces = (const Piece *)engine->pieces.memory + run->first_piece;
    Box *boxes = engine->boxes.memory, *box = boxes + engine->num_boxes;
    const int fit = engine->fit;
    int32_t pen = *pen_of_line, first_of_cluster = engine->num_boxes, cluster = -1;
    int32_t baseline = ((LinePlace *)engine->places.memory)[engine->place].baselines[run->font] + 512;
    int32_t left = INT32_MAX, right = INT32_MIN;
    run->first_box = engine->num_boxes;
    for (const Piece *piece = pieces; piece < pieces + run->num_pieces; piece++) {
        const Shaped *shaped = shaped_of(engine, piece), *end = shaped + piece->count;
        for (; shaped < end; pen += shaped++->advance) {
            Glyph *glyph = shaped->glyph;
            if (pen < -WIDEST_LINE || pen > WIDEST_LINE) return NOT_FOR_US;
            if (fit && shaped->cluster + piece->offset != cluster) {
                engine->num_boxes = (int32_t)(box - boxes);
                if (!engine->num_wanted && press(engine, run->font, first_of_cluster)) return NO_MEMORY;
                box = boxes + engine->num_boxes;
                cluster = shaped->cluster + piece->offset;
                first_of_cluster = engine->num_boxes;
            }
            if (!glyph->columns) {
                if (!glyph->known && want(engine, (uint32_t)run->font << 24 | glyph->id)) return NO_MEMORY;
                continue;
            }
            int32_t x = pen + shaped->x + glyph->left, y = ((baseline - shaped->rise) >> 10) - glyph->top;
            const uint8_t *ink = placed(engine, glyph, y);
            if (!ink) return NO_MEMORY;
            if (fit) ((BoxRows *)engine->box_rows.memory)[box - boxes] = (BoxRows){glyph->id, y, glyph->rows};
            *box++ = (Box){ink, x, glyph->columns};
            left = x < left ? x : left;
            right = x + glyph->columns > right ? x + glyph->columns : right;
        }
    }
    engine->num_boxes = (int32_t)(box - boxes);
    if (fit && !engine->num_wanted && press(engine, run->font, first_of_cluster)) return NO_MEMORY;
    run->num_boxes = engine->num_boxes - run->first_box;
    run->ink_left = left;
    run->ink_right = right;
    *pen_of_line = pen;
    return DONE;
}

/* Place all glyphs of the line; ask for those that were never drawn, then for clusters that were never pressed. */
int measure(Engine *engine) {
    const Piece *pieces = engine->pieces.memory;
    int32_t pen = 0, num_glyphs = 0;
    for (int32_t p = 0; p < engine->num_pieces; p++) num_glyphs += pieces[p].count;
    if (reserve(&engine->boxes, sizeof(Box) * (size_t)num_glyphs)) return NO_MEMORY;
    if (engine->fit && reserve(&engine->box_rows, sizeof(BoxRows) * (size_t)num_glyphs)) return NO_MEMORY;
    engine->num_glyphs = num_glyphs;
    engine->num_boxes = engine->num_wanted = engine->ink_left = engine->ink_right = 0;
    engine->num_to_press = engine->cannot_press = 0;
    for (int32_t r = 0; r < engine->num_runs; r++) {
        Run *run = (Run *)engine->runs.memory + r;
        int status = place_run(engine, run, &pen);
        if (status) return status;
        if (run->ink_left < engine->ink_left) engine->ink_left = run->ink_left;
        if (run->ink_right > engine->ink_right) engine->ink_right = run->ink_right;
    }
    engine->width = pen > 0 ? pen : 0;
    if (engine->ink_right < engine->width) engine->ink_right = engine->width;
    if (engine->num_wanted) return NEEDS_GLYPHS;
    if (engine->cannot_press) return NOT_FOR_US;
    return engine->num_to_press ? NEEDS_PRESSED : DONE;
}

/* Add coverage to columns (255 = no ink), saturating. Compilers do not find the instruction for it. */
static void add_ink(uint8_t *restrict columns, const uint8_t *restrict ink, size_t size) {
    size_t i = 0;
#if defined(__SSE2__)
    for (; i + 16 <= size; i += 16) {
        __m128i *target = (__m128i *)(columns + i);
        _mm_storeu_si128(target, _mm_subs_epu8(_mm_loadu_si128(target), _mm_loadu_si128((const __m128i *)(ink + i))));
    }
#elif defined(__ARM_NEON)
    for (; i + 16 <= size; i += 16) vst1q_u8(columns + i, vqsubq_u8(vld1q_u8(columns + i), vld1q_u8(ink + i)));
#endif
    for (; i < size; i++) columns[i] = (uint8_t)(columns[i] > ink[i] ? columns[i] - ink[i] : 0);
}

/* Draw a run on `num_columns` columns of which the first lies `origin` pixels right of the origin of the line. */
static void draw_run(const Engine *engine, const Run *run, uint8_t *columns, int32_t num_columns, int32_t origin) {
    size_t height = (size_t)engine->height;
    const Box *box = (const Box *)engine->boxes.memory + run->first_box, *end = box + run->num_boxes;
    for (; box < end; box++) {
        int32_t first = box->x - origin, last = first + box->columns, skipped = first < 0 ? -first : 0;
        if (last > num_columns) last = num_columns;
        first += skipped;
        if (first < last)
            add_ink(columns + (size_t)first * height, box->ink + (size_t)skipped * height, (size_t)(last - first) * height);
    }
}

/* Porter-Duff OVER with the rounding of pixman; 255 = no ink in both. */
static void draw_over(uint8_t *restrict below, const uint8_t *restrict above, size_t size) {
    for (size_t i = 0; i < size; i++) {
        uint32_t source = 255u - above[i], product = (255u - below[i]) * (uint32_t)above[i] + 128u;
        below[i] = (uint8_t)(255u - (source + ((product + (product >> 8)) >> 8)));
    }
}

/* Draw the line laid out last.

   `columns`: uint8 (num_columns + num_black, height), overwritten; the line's origin lies at column `x`. Ink outside is lost. The
   last `num_black` columns become black: a separator. */
EXPORT int pixel_lm_draw(Engine *engine, uint32_t generation, uint8_t *columns, int32_t num_columns, int32_t x, int32_t num_black) {
    if (generation != engine->generation) return STALE;
    size_t height = (size_t)engine->height;
    memset(columns, NO_INK, (size_t)num_columns * height);
    memset(columns + (size_t)num_columns * height, 0, (size_t)num_black * height);
    int32_t reach = INT32_MIN; /* ink of earlier runs ends here */
    for (int32_t r = 0; r < engine->num_runs; r++) {
        const Run *run = (const Run *)engine->runs.memory + r;
        int32_t left = run->ink_left > -x ? run->ink_left : -x;
        int32_t right = run->ink_right < num_columns - x ? run->ink_right : num_columns - x;
        if (left < right && left >= reach) {
            draw_run(engine, run, columns, num_columns, -x);
        } else if (left < right) {
            size_t size = (size_t)(right - left) * height;
            if (reserve(&engine->canvas, size)) return NO_MEMORY;
            memset(engine->canvas.memory, NO_INK, size);
            draw_run(engine, run, engine->canvas.memory, right - left, left);
            draw_over(columns + (size_t)(left + x) * height, engine->canvas.memory, size);
        }
        if (run->ink_right > reach) reach = run->ink_right;
    }
    return DONE;
}

/* Hand over the ink of a glyph: coverage (columns, rows). */
EXPORT int pixel_lm_set_glyph(Engine *engine, int32_t font, uint32_t id, int32_t left, int32_t top, int32_t columns, int32_t rows,
                              const uint8_t *alpha) {
    Glyph *glyph = glyph_of(engine, font, id);
    if (!glyph) return NO_MEMORY;
    if (glyph->known) return DONE;
    size_t size = (size_t)columns * (size_t)rows;
    if (size) {
        glyph->alpha = malloc(size);
        if (!glyph->alpha) return NO_MEMORY;
        memcpy(glyph->alpha, alpha, size);
        glyph->left = left;
        glyph->top = top;
        glyph->columns = columns;
        glyph->rows = rows;
    }
    glyph->known = 1;
    return DONE;
}

void free_glyphs(FontFace *face) {
    for (unsigned int id = 0; face->glyphs && id < face->num_glyphs; id++) {
        Glyph *glyph = face->glyphs[id];
        if (!glyph) continue;
        while (glyph->placed) {
            Placed *next = glyph->placed->next;
            free(glyph->placed);
            glyph->placed = next;
        }
        free(glyph->alpha);
        free(glyph);
    }
    free(face->glyphs);
}
