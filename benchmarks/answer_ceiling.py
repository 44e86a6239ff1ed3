"""How much of an answer survives patches: exact match and F1 of a model without fault.

    python benchmarks/answer_ceiling.py RULE=FILE… [--profile fit] [--questions 1000] [--json FILE]

FILE holds questions in the format of SQuAD; RULE is one of squad, korquad, jaquad. Each answer is put on the patches that show its
first and its last character, and read back: from whole words (`pixel_lm.tasks.snapping`), as the original does it, and as what the
patches show. Texts are rendered as one strip, so that windows play no part. Questions whose context is longer than 1500 characters
are left out.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

import numpy as np

from pixel_lm.data.questions import Question, read_questions
from pixel_lm.rendering import TextRenderer
from pixel_lm.tasks.answers import AnswerOptions, Window, context_spans, predict_answer
from pixel_lm.tasks.metrics.questions import squad_scores

LONGEST_CONTEXT = 1500
METHODS = ("words", "original", "patches")


def read_back(renderer: TextRenderer, question: Question, start: int, end: int) -> dict[str, str] | None:
    """The answer between `start` and `end` as each method gives it; None if it is not on the strip."""
    spans = context_spans(renderer((question.question, question.context), return_offset_mapping=True))
    first = np.flatnonzero((spans[:, 0] <= start) & (start < spans[:, 1]))
    last = np.flatnonzero((spans[:, 0] < end) & (end <= spans[:, 1]))
    if not len(first) or not len(last):
        return None
    left, right = sorted((int(first[0]), int(last[0])))
    logits = np.full((2, len(spans) + 1), -1.0)
    logits[0, left] = logits[1, right] = 1.0
    window = Window(logits[0], logits[1], spans)
    right_to_left = first[0] > last[0]
    legacy = AnswerOptions(max_patches=len(spans), legacy=True, rtl=bool(right_to_left))
    return {
        "words": predict_answer(question.context, [window], AnswerOptions(max_patches=len(spans))).text,
        "original": predict_answer(question.context, [window], legacy).text,
        "patches": question.context[int(spans[first[0], 0]) : int(spans[last[0], 1])],
    }


def main() -> int:
    """Print a table: file, questions, exact match and F1 in per cent for each method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="RULE=FILE")
    parser.add_argument("--profile", default="fit")
    parser.add_argument("--questions", type=int, default=1000, help="of each file, chosen at random with seed 0")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if not args.files:
        print("no questions given, nothing measured: name files as squad=dev-v1.1.json")
        return 0
    renderer = TextRenderer(max_seq_length=3000, profile=args.profile)
    numbers: dict[str, float] = {}
    print(f"{'file':40} {'questions':>9}  " + "  ".join(f"{method:>13}" for method in METHODS) + "   (exact match, F1)")
    for entry in args.files:
        rule, _, name = entry.partition("=")
        questions = [q for q in read_questions(name).questions if q.answers and len(q.context) <= LONGEST_CONTEXT]
        random.Random(0).shuffle(questions)
        gold: dict[str, list[str]] = {}
        predictions: dict[str, dict[str, str]] = {method: {} for method in METHODS}
        for question in questions[: args.questions]:
            answer = next((answer for answer in question.answers or () if answer.start is not None), None)
            if answer is None or answer.start is None or answer.end is None:
                continue
            texts = read_back(renderer, question, answer.start, answer.end)
            if texts is not None:
                gold[question.id] = [answer.text]
                for method, text in texts.items():
                    predictions[method][question.id] = text
        row = []
        for method in METHODS:
            scores = squad_scores(predictions[method], gold, rule)
            numbers |= {f"{Path(name).name} {method} {metric}": value for metric, value in scores.items()}
            row.append(f"{100 * scores['exact_match']:6.1f} {100 * scores['f1']:6.1f}")
        print(f"{Path(name).name:40} {len(gold):9}  " + "  ".join(row))
    if args.json:
        args.json.write_text(json.dumps(numbers, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
