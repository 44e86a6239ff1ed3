"""Rendering speed against PangoCairo driven the way the original drives it, one thread each, interleaved in one run.

    python benchmarks/rendering.py [--english FILE] [--multilingual FILE] [--json FILE]

Medians of several rounds; a ratio is ours divided by PangoCairo's, larger is better, with the range over the rounds. PangoCairo
runs in the system's Python, which needs Debian's python3-gi, python3-gi-cairo, gir1.2-pango-1.0 and python3-cairo; without them
our figures are printed alone. `--english`: text files (.txt, .jsonl, also compressed); by default Python's documentation.
`--multilingual`: .jsonl with "lang" and "sentences" (NTREX-128, FLORES-200) in twelve languages of as many scripts; by default
short texts of this project.

second pass: the same texts again (epochs of fine-tuning); ours goes through them five times in a round, as it is soon done. streaming: each text once, after other text of the same kind
(pretraining). cold: the first texts of a new process, nothing remembered. PIXEL_LM_COMPILED=0 in the environment: without the
compiled code.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pixel_lm.data.files import read_lines
from pixel_lm.data.texts import project_texts, python_documentation_text
from pixel_lm.rendering import TextRenderer
from pixel_lm.rendering.native import library

ROUNDS = 7
PASSES = 5
PYTHON = "/usr/bin/python3"
LANGUAGES = ("eng", "rus", "ell", "arb", "heb", "hin", "ben", "tam", "tha", "kat", "kor", "zho-CN")
LENGTH, QA_LENGTH, STRIDE = 509, 400, 160


class Pango:
    """The worker process; None of its times where it cannot run."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        worker = Path(__file__).with_name("pango_worker.py")
        check = [PYTHON, "-c", "import gi, cairo; gi.require_version('PangoCairo', '1.0')"]
        if Path(PYTHON).exists() and subprocess.run(check, capture_output=True).returncode == 0:
            self.process = subprocess.Popen(
                [PYTHON, str(worker)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )

    def seconds(self, kind: str, inputs: Sequence[Any], num_patches: int) -> float | None:
        """Time for drawing all inputs."""
        if self.process is None:
            return None
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps({"kind": kind, "inputs": inputs, "num_patches": num_patches}) + "\n")
        self.process.stdin.flush()
        return float(json.loads(self.process.stdout.readline()))


def timed(draw: Callable[[Any], object], inputs: Sequence[Any], passes: int = 1) -> float:
    """Seconds for drawing all inputs with ours, the mean of several passes."""
    began = time.perf_counter()
    for _ in range(passes):
        for value in inputs:
            draw(value)
    return (time.perf_counter() - began) / passes


def measure(
    name: str, ours: Sequence[float], theirs: Sequence[float | None], count: int, numbers: dict[str, Any]
) -> None:
    """Print a row and note its numbers; one entry per round."""
    rate = count / statistics.median(ours)
    ratios = sorted(their / our for our, their in zip(ours, theirs, strict=True) if their is not None)
    ratio = statistics.median(ratios) if ratios else None
    numbers[f"{name}_per_second"] = round(rate, 1)
    numbers[f"{name}_ratio"] = round(ratio, 2) if ratio else None
    shown = f"{ratio:7.1f} x  ({ratios[0]:.1f} – {ratios[-1]:.1f})" if ratio else "      -"
    their_rate = f"{count / statistics.median(t for t in theirs if t is not None):9.0f}" if ratios else "        -"
    print(f"{name:28} {rate:9.0f} {their_rate} {shown}", flush=True)


def english_texts(files: Sequence[Path], renderer: TextRenderer, wanted: int) -> list[str]:
    """Texts that fill a strip each."""
    if files:
        paragraphs = []
        for file in files:
            for _, line in read_lines(file):
                paragraphs.append(json.loads(line)["text"] if ".jsonl" in file.name else line)
                if sum(map(len, paragraphs)) > wanted * 1600:
                    break
    else:
        paragraphs = [*python_documentation_text(), *project_texts()["en"]]
    text = " ".join(" ".join(paragraphs).split())
    return renderer.split(text[: wanted * 1600])[:wanted]


def multilingual_texts(file: Path | None, length: int) -> list[str]:
    """Texts of about `length` characters in twelve scripts, taking turns."""
    by_language: dict[str, list[str]] = {}
    if file is None:
        return [text[:length] for texts in project_texts().values() for text in texts]
    for _, line in read_lines(file):
        record = json.loads(line)
        if record.get("lang") in LANGUAGES:
            by_language[record["lang"]] = [" ".join(sentence.split()) for sentence in record["sentences"]]
    pieces = {lang: list(joined(sentences, length)) for lang, sentences in by_language.items()}
    rounds = min(map(len, pieces.values()))
    return [pieces[lang][turn] for turn in range(rounds) for lang in sorted(pieces)]


def joined(sentences: Sequence[str], length: int) -> Iterator[str]:
    """Texts of at least `length` characters, of whole sentences."""
    text = ""
    for sentence in sentences:
        text = f"{text} {sentence}".strip()
        if len(text) >= length:
            yield text
            text = ""


def main() -> int:
    """Measure all modes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--english", type=Path, action="append", default=[])
    parser.add_argument("--multilingual", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    print("compiled code draws" if library() else "Python alone draws")
    pango = Pango()
    if pango.process is None:
        print(
            "no PangoCairo in the system's Python: apt install python3-gi python3-gi-cairo gir1.2-pango-1.0 python3-cairo"
        )
    long = TextRenderer(profile="pango").with_max_seq_length(LENGTH)
    texts = english_texts(args.english, long, 2400)
    numbers: dict[str, Any] = {}
    print(f"{'mode':28} {'ours/s':>9} {'Pango/s':>9} {'ratio':>9}    (range over rounds)")

    # Cold first: nothing is remembered yet.
    some = texts[:200]
    cold = [timed(TextRenderer(profile="pango").with_max_seq_length(LENGTH), some) for _ in range(3)]
    measure("cold_en_200", cold, [pango.seconds("text", some, LENGTH) for _ in cold], len(some), numbers)

    warm, fresh = texts[: len(texts) // 2], texts[len(texts) // 2 :]
    timed(long, warm)
    share = len(fresh) // ROUNDS
    ours, theirs = [], []
    for turn in range(ROUNDS):
        part = fresh[turn * share : (turn + 1) * share]
        ours.append(timed(long, part))
        theirs.append(pango.seconds("text", part, LENGTH))
    measure("str_en_streaming", ours, theirs, share, numbers)

    some = texts[:300]
    pairs = [(timed(long, some, PASSES), pango.seconds("text", some, LENGTH)) for _ in range(ROUNDS)]
    measure("str_en_second_pass", [a for a, _ in pairs], [b for _, b in pairs], len(some), numbers)

    mixed = multilingual_texts(args.multilingual, 1000)
    half = len(mixed) // 2
    timed(long, mixed[:half])
    share = (len(mixed) - half) // ROUNDS
    ours, theirs = [], []
    for turn in range(ROUNDS):
        part = mixed[half + turn * share : half + (turn + 1) * share]
        ours.append(timed(long, part))
        theirs.append(pango.seconds("text", part, LENGTH))
    measure("str_12_scripts_streaming", ours, theirs, share, numbers)

    words = " ".join(texts[:200]).split()
    for size in (22, 150):
        lists = [words[i : i + size] for i in range(0, 200 * size, size) if i + size <= len(words)][:200]
        timed(long, lists)
        pairs = [(timed(long, lists, PASSES), pango.seconds("words", lists, LENGTH)) for _ in range(ROUNDS)]
        measure(f"words_{size}_second_pass", [a for a, _ in pairs], [b for _, b in pairs], len(lists), numbers)

    qa = TextRenderer(profile="pango").with_max_seq_length(QA_LENGTH)
    questions = [
        (text[:60], (text + " " + other)[:2200]) for text, other in zip(texts[:60], texts[60:120], strict=True)
    ]

    def windows(pair: tuple[str, str]) -> object:
        return qa(pair, return_offset_mapping=True, return_overflowing_patches=True, stride=STRIDE)

    timed(windows, questions)
    pairs = [(timed(windows, questions, PASSES), pango.seconds("windows", questions, QA_LENGTH)) for _ in range(3)]
    measure("qa_windows_offsets", [a for a, _ in pairs], [b for _, b in pairs], len(questions), numbers)

    if args.json:
        args.json.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
