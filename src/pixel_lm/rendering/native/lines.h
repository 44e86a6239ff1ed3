/* Lines of text drawn by compiled code: what `Typesetter.whole_line` draws, many times faster.

   The Python code of this package defines what a line looks like; this code gives the same pixels for the lines that it takes
   (the tests compare them). All that is decided by tables (properties of characters, which font has which, baselines, the ink of
   glyphs) is decided in Python and handed over when it is first asked for: a call that lacks something returns NEEDS_… and is to
   be repeated.

   The library knows nothing of Python, and is to be called with its global lock held: an engine is used by one thread at a time. */

#ifndef PIXEL_LM_LINES_H
#define PIXEL_LM_LINES_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)(address))
#endif

/* -- HarfBuzz: its public binary interface, reached through pointers, so that nothing is linked ------------------------------- */

typedef struct {
    uint32_t codepoint; /* number of the glyph */
    uint32_t mask;      /* flags in the low bits */
    uint32_t cluster;
    uint32_t internal[2];
} HbInfo;

typedef struct {
    int32_t x_advance, y_advance, x_offset, y_offset;
    uint32_t internal;
} HbPosition;

typedef struct {
    uint32_t tag, value;
    unsigned int start, end;
} HbFeature;

enum { HB_UNSAFE_TO_BREAK = 1, HB_BEGINNING_OF_TEXT = 1, HB_LEFT_TO_RIGHT = 4, HB_RIGHT_TO_LEFT = 5 };

/* In this order; `native/__init__.py` fills it. */
typedef struct {
    void *(*blob_create_from_file)(const char *);
    void (*blob_destroy)(void *);
    void *(*face_create)(void *, unsigned int);
    void (*face_destroy)(void *);
    unsigned int (*face_get_glyph_count)(void *);
    void *(*font_create)(void *);
    void (*font_destroy)(void *);
    void (*font_set_scale)(void *, int, int);
    void *(*buffer_create)(void);
    void (*buffer_destroy)(void *);
    void (*buffer_reset)(void *);
    void (*buffer_add_utf32)(void *, const uint32_t *, int, unsigned int, int);
    void (*buffer_set_direction)(void *, int);
    void (*buffer_set_script)(void *, uint32_t);
    void (*buffer_set_flags)(void *, unsigned int);
    HbInfo *(*buffer_get_glyph_infos)(void *, unsigned int *);
    HbPosition *(*buffer_get_glyph_positions)(void *, unsigned int *);
    void (*shape)(void *, void *, const HbFeature *, unsigned int);
} HarfBuzz;

/* -- what Python hands over ------------------------------------------------------------------------------------------------------ */

enum {
    FOLLOWS = 1,     /* takes the font of its neighbour */
    REFUSED = 2,     /* lines with this character are not for this code */
    NO_START = 4,    /* a word that begins with it is not looked up */
    JOINER = 8,      /* zero-width joiner or non-joiner */
    OPENS = 16,      /* paired punctuation, for scripts */
    CLOSES = 32,
    EMOJI = 64,      /* of an emoji sequence, if a joiner stands beside it */
    KNOWN = 128
};

typedef struct {
    uint8_t font;      /* rank of the first font that has it */
    uint8_t script;    /* number, 0 for Common and Inherited */
    uint8_t bidi;      /* class, as a letter (`unicode_data.BIDI_CODES`) */
    uint8_t flags;
    uint32_t partner;  /* of what CLOSES: the opening character */
    uint32_t bracket;  /* bidirectional brackets: canonical closing one, CLOSING_BRACKET added if it is one itself; else 0 */
    uint32_t kind;     /* not handed over: the same for characters that tell the same of a line */
} Character;

#define CLOSING_BRACKET 0x80000000u

enum { IDEOGRAPHIC = 1, JOINS = 2 };

typedef struct {
    uint32_t tag;
    uint32_t flags;    /* IDEOGRAPHIC: aligns fonts; JOINS: letters look at their neighbours */
    HbFeature feature; /* if its tag is not 0 */
} Script;

/* -- ink --------------------------------------------------------------------------------------------------------------------------- */

typedef struct Placed {
    struct Placed *next;
    int32_t y;
    uint8_t ink[]; /* coverage (columns, height), blank where the glyph has no rows */
} Placed;

typedef struct {
    uint32_t id;
    int32_t known, left, top, columns, rows;
    uint8_t *alpha; /* coverage (columns, rows) */
    Placed *placed; /* the same at the rows of the strip where it was needed so far */
} Glyph;

/* A cluster that would leave the strip, pressed into it. */
typedef struct Pressed {
    uint64_t hash;
    int32_t left, columns; /* from the column of its first glyph */
    int32_t size;          /* of the key: for each glyph its id, column from that of the first one, and row; then the font */
    int32_t *key;
    uint8_t *ink; /* coverage (columns, height) */
} Pressed;

/* A glyph or a pressed cluster of the line. */
typedef struct {
    const uint8_t *ink; /* coverage (columns, height) */
    int32_t x, columns;
} Box;

/* What pressing asks of a box. */
typedef struct {
    uint32_t id;
    int32_t y, rows;
} BoxRows;

typedef struct {
    int opened;
    void *hb;
    unsigned int num_glyphs;
    Glyph **glyphs; /* by number, NULL for those not met so far */
} FontFace;

enum { WANTED_AT_A_TIME = 256 }; /* numbers that Python is asked for in one call */

/* -- words and lines ------------------------------------------------------------------------------------------------------------- */

typedef struct {
    Glyph *glyph;
    int32_t x;       /* pixels */
    int32_t rise;    /* above the baseline, in 1/1024 pixel */
    int32_t advance; /* pixels */
    int32_t cluster; /* index of its first character, from the begin of the word or line */
} Shaped;

typedef struct {
    uint64_t hash;
    uint32_t context; /* font, script, direction */
    int32_t length;
    int32_t count;    /* of glyphs; -1: its shape depends on what stands before it */
    Shaped *shaped;
    uint32_t text[];
} Word;

typedef struct {
    const Shaped *word;    /* glyphs of a word; NULL: those of the line itself from number `first` on */
    size_t first;
    int32_t count, offset; /* how many glyphs; what is added to their clusters */
} Piece;

typedef struct {
    int32_t start, end;
    uint8_t font, script, level;
    int32_t first_token, num_tokens, first_piece, num_pieces, first_box, num_boxes;
    int32_t ink_left, ink_right; /* pixels from the origin of the line; no ink if left >= right */
} Run;

/* A word of the line. */
typedef struct {
    const Word *word; /* NULL for a new one */
    uint64_t hash;
    const Run *run;
    uint32_t context;
    int32_t start, length;
} Token;

/* What the characters of a line have in common. */
typedef struct {
    uint8_t flags;  /* of all of them, or'ed */
    uint8_t script; /* the last one that is not Common */
    uint8_t strong; /* bidirectional class of the first strong character, or 0 */
    int several_scripts, right_to_left, has_brackets;
    int num_fonts; /* 2 for more than one */
    uint8_t font;  /* the first */
} Summary;

typedef struct {
    uint64_t fonts[4]; /* as bits */
    int32_t anchor;    /* font on whose ideographic baseline the others align; -1: none */
    int32_t baselines[256]; /* of each font, from the top of the strip, in 1/1024 pixel */
} LinePlace;

typedef struct {
    int32_t start, end; /* of its characters */
    int32_t x, width;   /* pixels */
    int32_t rtl;
} PlacedCluster;

typedef struct {
    int32_t length, base_level;
} Request;

typedef struct Block {
    struct Block *next;
    size_t size, used;
    uint8_t bytes[];
} Block;

typedef struct {
    void *memory;
    size_t capacity; /* bytes */
} Growing;

typedef struct {
    HarfBuzz hb;
    void *buffer;
    int height;
    int fit; /* whether glyphs must not leave the strip */

    Character *pages[0x1100];
    Script scripts[256];
    FontFace fonts[256]; /* by rank */
    Growing places; /* LinePlace */
    int num_places;

    /* words seen so far */
    Word **words;
    size_t num_slots, num_words;
    Block *blocks;
    size_t word_bytes, max_word_bytes;
    Pressed **pressed;
    size_t num_pressed_slots, num_pressed;
    int32_t to_press[WANTED_AT_A_TIME], num_to_press; /* keys after their sizes, and how many numbers that are */
    int cannot_press; /* a cluster whose key has no room there */

    /* the line laid out last; valid while `generation` is the same */
    uint32_t generation;
    Summary summary;
    int32_t width, ink_left, ink_right, place, num_runs, num_tokens, num_pieces, num_boxes, num_glyphs;
    int by_words; /* whether all of it came from words that were looked up */
    enum { NOTHING, SHAPED, MEASURED } stage; /* often the same line is asked for again */
    Request request;
    Growing line; /* its text */
    Growing levels, runs, pieces, boxes, box_rows, shaped, types, kept, tokens, missing, text, wanted, items, canvas;
    size_t num_shaped;
    int32_t num_wanted;
} Engine;

/* What calls answer. */
enum { DONE = 0, NEEDS_CHARACTERS = 1, NEEDS_FONTS = 2, NEEDS_PLACE = 3, NEEDS_GLYPHS = 4, NEEDS_PRESSED = 5, NOT_FOR_US = 6, STALE = 7, NO_MEMORY = 8 };

typedef struct {
    int32_t start, end;
    uint8_t level, script;
} Item;

/* memory.c */
int reserve(Growing *growing, size_t bytes);
void *allocate(Engine *engine, size_t bytes);
uint64_t hash_of(uint64_t hash, const uint32_t *values, int32_t count);
int want(Engine *engine, uint32_t value);

/* bidi.c */
int resolve_levels(Engine *engine, const uint32_t *text, int32_t length, int base_level);

/* items.c */
const Character *character(const Engine *engine, uint32_t codepoint);
int split_into_items(Engine *engine, const uint32_t *text, int32_t length, int base_level, int32_t *num_items);
int order_runs(Engine *engine, const uint32_t *text, int32_t num_items, int32_t *first_font);

/* words.c */
int shape_runs(Engine *engine, const uint32_t *text, int32_t length);
void forget_words(Engine *engine);

static inline const Shaped *shaped_of(const Engine *engine, const Piece *piece) {
    return piece->word ? piece->word : (const Shaped *)engine->shaped.memory + piece->first;
}

/* ink.c */
Glyph *glyph_of(Engine *engine, int font, uint32_t id);
int measure(Engine *engine);
void free_glyphs(FontFace *face);

/* pressing.c */
int press(Engine *engine, int font, int32_t first_box);

#endif
