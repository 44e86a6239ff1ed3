"""`pixel-lm score GOLD PREDICTED`: the CoNLL 2018 evaluation of two files in CoNLL-U."""

from __future__ import annotations

import argparse
from pathlib import Path

from pixel_lm.cli._shared import check_writable


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "score",
        help="compare two treebank files as the CoNLL 2018 shared task did",
        description="Compare two files in CoNLL-U with the same words, such as what `pixel-lm predict` writes with what it read, as "
        "the CoNLL 2018 shared task did: UPOS, UAS, LAS without subtypes, and CLAS, which is LAS of content words. Both must "
        "hold trees with one root; `pixel-lm predict parsing --decoding tree` writes such. Of a gold file without heads only UPOS "
        "is compared.",
    )
    parser.add_argument("gold", metavar="GOLD", help="annotated file (.conllu)")
    parser.add_argument("predicted", metavar="PREDICTED", help="the same text as a model annotates it (.conllu)")
    parser.add_argument("--json", metavar="FILE", help="also write the scores, between 0 and 1, to this file")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    import json

    from pixel_lm.data.conllu import read_conllu
    from pixel_lm.tasks.metrics.parsing import conll18_scores

    gold, predicted = read_conllu(args.gold), read_conllu(args.predicted)
    if args.json:
        check_writable(Path(args.json))
    scores = conll18_scores(predicted, gold)
    if args.json:
        Path(args.json).write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
    print(f"{len(gold)} sentences, {sum(len(sentence.words) for sentence in gold)} words")
    for name, value in scores.items():
        print(f"{name.upper():5} {100 * value:6.2f}")
    return 0
