"""Memory of a renderer that meets ever new words: resident memory of the process, with the cache's default bound.

    python benchmarks/rendering_memory.py [--words 1500000] [--profile fit] [--json FILE]

Made-up words of six alphabets, no two alike (a corpus with the heaviest tail), in strings and lists of words in turn. A row is printed
whenever a tenth of the words was drawn. What counts is that the figures stop growing: the cache is emptied when it is full.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

from pixel_lm.rendering import TextRenderer
from pixel_lm.rendering.typesetting import CACHE_BYTES

ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz",
    "абвгдежзийклмнопрстуфхцчшщъыьэюя",
    "αβγδεζηθικλμνξοπρστυφχψω",
    "אבגדהוזחטיכלמנסעפצקרשת",
    "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆ",
)
WORDS_OF_A_TEXT = 100
LARGE_PRIME = 1_000_003
MIB = 1 << 20


def distinct_words() -> Iterator[str]:
    """Words of 5 to 9 letters, no two alike without a record of those that were."""
    for number in count():
        turn, which = divmod(number, len(ALPHABETS))
        alphabet = ALPHABETS[which]
        turn, extra = divmod(turn, 5)
        # The prime divides no alphabet's length, so different turns give different codes.
        code = turn * LARGE_PRIME % len(alphabet) ** (5 + extra)
        letters = []
        for _ in range(5 + extra):
            code, letter = divmod(code, len(alphabet))
            letters.append(alphabet[letter])
        yield "".join(letters)


def resident_bytes(largest: bool = False) -> int:
    """Memory of this process that lies in RAM now, or did at most so far."""
    name = "VmHWM:" if largest else "VmRSS:"
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no {name} in /proc/self/status")


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the words and print memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=1_500_000, help="how many different words")
    parser.add_argument("--profile", choices=("fit", "pango"), default="fit")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args(arguments)
    if not Path("/proc/self/status").exists():
        parser.error("resident memory is read from /proc, which Linux has")
    if args.words < 10 * WORDS_OF_A_TEXT:
        parser.error(f"--words must be at least {10 * WORDS_OF_A_TEXT}")

    renderer = TextRenderer(profile=args.profile)
    renderer("".join(ALPHABETS))  # fonts are opened
    bound = CACHE_BYTES / MIB
    words = distinct_words()
    drawn, step = 0, args.words // 10
    gc.collect()
    began, before = time.perf_counter(), resident_bytes()
    growth: list[float] = []
    print(f"profile {args.profile}, bound {bound:.0f} MiB; {before / MIB:.0f} MiB resident with the fonts open")
    print(f"{'words':>10} {'growth, MiB':>12} {'words/s':>9}")
    while drawn < args.words:
        texts = [next(words) for _ in range(WORDS_OF_A_TEXT)]
        renderer(" ".join(texts) if drawn // WORDS_OF_A_TEXT % 2 else texts)
        drawn += WORDS_OF_A_TEXT
        if drawn // step > len(growth):
            growth.append((resident_bytes() - before) / MIB)
            print(f"{drawn:10} {growth[-1]:12.0f} {drawn / (time.perf_counter() - began):9.0f}", flush=True)
    peak = (resident_bytes(largest=True) - before) / MIB
    second_half = max(growth[len(growth) // 2 :]) - max(growth[: len(growth) // 2])
    print(f"peak growth {peak:.0f} MiB; the second half adds {second_half:.0f} MiB to the peak of the first")
    if args.json:
        numbers = {
            "words": drawn,
            "bound_mib": bound,
            "before_mib": round(before / MIB, 1),
            "peak_growth_mib": round(peak, 1),
            "second_half_adds_mib": round(second_half, 1),
        }
        args.json.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
