"""How fast the profile `pygame` draws, beside PyGame itself.

    python benchmarks/rendering_pygame.py TEXT [--font FILE] [--json FILE]

TEXT is a file of running text; it is cut into lines of about 1300 characters, which fit on a strip. Both draw the same lines, in turn, one thread.
Ours draws them five times a turn, with its words drawn before (`--cold`: once, with an empty cache). Every turn of PyGame opens
its font anew, as it becomes slower and slower otherwise. Without PyGame only our figure is given; the others are null. PyGame
2.6.1 gives the same pixels; pygame-ce has a newer FreeType, which hints differently.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixel_lm.errors import UserError
from pixel_lm.rendering import TextRenderer
from pixel_lm.rendering.discovery import default_fonts

CHARACTERS = 1300
NUM_PATCHES, PATCH = 529, 16
OUR_ROUNDS = 5


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, metavar="TEXT", help="running text, UTF-8")
    parser.add_argument("--font", type=Path, metavar="FILE", help="font file; default: the main font of this machine")
    parser.add_argument("--lines", type=int, default=40, help="number of lines")
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--cold", action="store_true", help="forget the drawn words before every repetition")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to this file too")
    args = parser.parse_args(arguments)
    try:
        font = args.font or default_fonts()[0].path
        numbers = measure(read_lines(args.text, args.lines), font, args.repetitions, args.cold)
    except (UserError, OSError) as error:
        print(f"rendering_pygame.py: error: {error}", file=sys.stderr)
        return 2
    for name, value in numbers.items():
        print(f"{name}: {value}")
    if args.json:
        args.json.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return 0


def read_lines(path: Path, number: int) -> list[str]:
    """Lines of about `CHARACTERS` characters that end at a space."""
    text = " ".join(path.read_text(encoding="utf-8").split())
    lines: list[str] = []
    start = 0
    while len(lines) < number and start + CHARACTERS < len(text):
        end = text.rfind(" ", start + 1, start + CHARACTERS)
        end = end if end > 0 else start + CHARACTERS
        lines.append(text[start:end])
        start = end + 1
    if not lines:
        raise UserError(f"{path} has less than {CHARACTERS} characters of text")
    return lines


def measure(lines: list[str], font: Path, repetitions: int, cold: bool) -> dict[str, Any]:
    """Lines per second of both, medians over repetitions that take turns."""
    renderer = TextRenderer(font, profile="pygame", max_seq_length=NUM_PATCHES)
    for line in lines:
        renderer(line)
    numbers: dict[str, Any] = {"font": font.name, "lines": len(lines), "repetitions": repetitions, "cold": cold}
    try:
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        import pygame.freetype  # type: ignore[import-not-found, unused-ignore]

        numbers["pygame"] = pygame.version.ver + (" (pygame-ce)" if getattr(pygame, "IS_CE", False) else "")
    except ImportError:
        numbers["pygame"] = None
    ours: list[float] = []
    theirs: list[float] = []
    for repetition in range(repetitions):
        turns = [(ours, 1 if cold else OUR_ROUNDS, lambda: our_turn(renderer, cold))]
        if numbers["pygame"]:
            turns.append((theirs, 1, lambda: pygame_turn(font)))
        for seconds, rounds, begin in turns if repetition % 2 else turns[::-1]:
            draw = begin()
            started = time.perf_counter()
            for line in lines * rounds:
                draw(line)
            seconds.append((time.perf_counter() - started) / rounds)
    numbers["ours_per_second"] = round(len(lines) / statistics.median(ours), 1)
    numbers["pygame_per_second"] = round(len(lines) / statistics.median(theirs), 1) if theirs else None
    numbers["ratio"] = round(statistics.median(theirs) / statistics.median(ours), 1) if theirs else None
    if theirs:
        draw = pygame_turn(font)
        same = sum(np.array_equal(draw(line), renderer(line).strip()) for line in lines)
        numbers["identical"] = f"{same}/{len(lines)}"
    return numbers


def our_turn(renderer: TextRenderer, cold: bool) -> Callable[[str], Any]:
    """What draws a line in the next repetition."""
    if cold:
        renderer._typesetter.forget()
    return renderer


def pygame_turn(font: Path) -> Callable[[str], npt.NDArray[np.uint8]]:
    """The same with PyGame: a line on a strip of white, then a separator."""
    import pygame
    import pygame.freetype

    pygame.freetype.init()
    pygame.freetype.set_default_resolution(120)
    opened = pygame.freetype.Font(str(font), 8)
    black, white = pygame.Color("black"), pygame.Color("white")

    def draw(line: str) -> npt.NDArray[np.uint8]:
        strip = pygame.Surface((NUM_PATCHES * PATCH, PATCH))
        strip.fill(white)
        ink, box = opened.render(line, black)
        strip.blit(ink, (2, PATCH // 2 - box.height // 2))
        end = min(-(-(box.width + 4) // PATCH) * PATCH, (NUM_PATCHES - 1) * PATCH)
        pygame.draw.rect(strip, black, (end, 0, PATCH, PATCH))
        return np.ascontiguousarray(
            pygame.surfarray.pixels3d(strip)[: end + PATCH, :, 0].T
        )  # black and white: any channel

    return draw


if __name__ == "__main__":
    sys.exit(main())
