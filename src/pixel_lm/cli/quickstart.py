"""`pixel-lm quickstart`: the whole path once, small enough for a laptop.

Text → strips → a tiny pretrained model → a tagger with and without it → scores, pictures and a report page. Everything goes
through the same functions as the verbs `pretrain` and `finetune`; what is finished is not done again, and what was
interrupted continues.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixel_lm.errors import UserError

if TYPE_CHECKING:
    from pixel_lm.cli._quickstart_report import Scored
    from pixel_lm.data.conllu import Split
    from pixel_lm.training.arguments import FinetuneArguments, PretrainArguments

MAX_SEQ_LENGTH = 96  # of the synthetic corpus, whose sentences have 25 patches in the middle, 78 at most
TREEBANK_SEQ_LENGTH = 160
# What lets a model this small learn within minutes, found by trial (LOG.md): short strips, words that look the same wherever
# they stand, paper as 0, positions on a line, Xavier weights, many single masked patches in place of long spans, and a
# decoder as wide as the encoder.
MODEL: dict[str, Any] = {
    "hidden_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 512,
    "position_code": "line",
    "linear_initializer": "xavier",
    "pixel_mean": 1.0,
    "pixel_std": 1 / 3,
    "decoder_hidden_size": 128,
    "decoder_num_hidden_layers": 1,
    "decoder_num_attention_heads": 4,
    "decoder_intermediate_size": 512,
}
_SENTENCE_END = re.compile(r"(?<=[.!?。।]) +")
MASKING: dict[str, Any] = {"mask_ratio": 0.4, "max_span_length": 1, "span_weights": (1.0,), "span_spacing": "0"}
SENTENCES: dict[str, Any] = {"train": 200, "dev": 50, "test": 200}  # per language
GRAMMAR_TEXT = 4000  # untagged sentences per language, none of them in the tagged corpus


def add_parser(subparsers: Any) -> None:
    """Register the verb and its options."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "quickstart",
        help="pretrain, fine-tune, evaluate and draw a tiny model, in minutes on two CPU cores",
        description="Pretrain a tiny model, fine-tune it for part-of-speech tagging with and without pretraining, and write "
        "a report page. Without options it uses text that comes with Python and with pixel-lm, and a synthetic tagged "
        "corpus in four scripts. The same command again continues an interrupted run.",
    )
    parser.add_argument(
        "--output-dir", "-o", type=Path, default=Path("quickstart-output"), metavar="FOLDER",
        help="folder for models, metrics and the report (default: quickstart-output)",
    )  # fmt: skip
    parser.add_argument(
        "--treebank", metavar="FOLDER", help="a Universal Dependencies treebank in place of the synthetic corpus"
    )
    parser.add_argument("--text", metavar="FILE", help="text to pretrain on (.txt, .jsonl, .parquet, also compressed)")
    parser.add_argument(
        "--pretrain-steps", type=int, default=4000, metavar="N", help="steps of pretraining (default: 4000)"
    )
    parser.add_argument(
        "--finetune-steps", type=int, default=1000, metavar="N", help="steps of fine-tuning (default: 1000)"
    )
    parser.add_argument("--seed", type=int, default=42, metavar="N", help="seed of everything random (default: 42)")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run all stages and print the table."""
    import torch

    from pixel_lm.training import run_finetuning, run_pretraining

    started = time.monotonic()
    # Models this small are fastest on few threads, and give the same numbers whatever the machine.
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    output: Path = args.output_dir
    _make_folder(output)
    treebank = _checked_treebank(Path(args.treebank)) if args.treebank else _synthetic_corpus(output, args.seed)
    text = args.text or str(_default_text(output, args.seed, None if args.treebank else treebank))

    print(f"1/4  pretraining on {text}", flush=True)
    pretraining = run_pretraining(pretrain_arguments(args, text))
    print("\n2/4  fine-tuning without pretraining", flush=True)
    run_finetuning(finetune_arguments(args, treebank, pretrained=False))
    print("\n3/4  fine-tuning with pretraining", flush=True)
    run_finetuning(finetune_arguments(args, treebank, pretrained=True))
    print("\n4/4  scores, pictures, report", flush=True)
    sentences, tags = predictions(args, treebank)
    scores = {name: score(sentences, predicted) for name, predicted in tags.items()}
    seconds = time.monotonic() - started
    metrics = {"pretraining": pretraining, "test": scores, "seed": args.seed, "seconds": round(seconds, 1)}
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    from pixel_lm.cli._quickstart_report import write_report

    page = write_report(args, output, treebank, text, pretraining, sentences, tags, scores)
    _print_table(scores, synthetic=args.treebank is None)
    print(f"\n{seconds / 60:.1f} minutes. Report: {page}   models: {output}/pretrained, {output}/finetuned")
    return 0


# -- what is trained on ------------------------------------------------------------------------------------------------


def _make_folder(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
        (output / ".writable").touch()
        (output / ".writable").unlink()
    except OSError as error:
        raise UserError(f"cannot write to {output}: {error.strerror or error}") from None


def _checked_treebank(folder: Path) -> Path:
    """The folder, if it holds all splits and they can be read: better to hear of it now than after pretraining."""
    from pixel_lm.tasks.pos import TASK as task

    if not folder.is_dir():
        raise UserError(f"--treebank {folder}: no such folder")
    splits: tuple[Split, ...] = ("train", "dev", "test")
    for split in splits:
        for sentence in task.read(task.find_file(folder, split)):
            task.read_tags(sentence)
    return folder


def _synthetic_corpus(output: Path, seed: int) -> Path:
    from pixel_lm.data.synthetic import generate_corpus

    return generate_corpus(output / "synthetic-corpus", seed=seed, **SENTENCES).directory


def _default_text(output: Path, seed: int, corpus: Path | None) -> Path:
    """Python's documentation, the texts of this project and, for the synthetic corpus, untagged sentences of its grammars.

    Every sentence is a document of its own, and so a strip of its own: short strips are learned from soonest.
    """
    from pixel_lm.data.conllu import read_conllu
    from pixel_lm.data.synthetic import LANGUAGES, generate_text
    from pixel_lm.data.texts import project_texts, python_documentation_text

    documents = python_documentation_text()
    for texts in project_texts().values():
        documents += texts
    if corpus is not None:
        tagged = {
            sentence.text for path in sorted(corpus.glob("*.conllu")) for sentence in read_conllu(path) if sentence.text
        }
        for language in LANGUAGES:
            lines = generate_text(language, GRAMMAR_TEXT, seed=seed, exclude=tagged)
            documents += lines
    documents = [sentence for document in documents for sentence in _SENTENCE_END.split(document)]
    path = output / "text.txt"
    content = "\n\n".join(documents) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != content:  # a new file would be cut into strips anew
        path.write_text(content, encoding="utf-8")
    return path


# -- settings ----------------------------------------------------------------------------------------------------------


def _length(args: argparse.Namespace) -> int:
    return TREEBANK_SEQ_LENGTH if args.treebank else MAX_SEQ_LENGTH


def pretrain_arguments(args: argparse.Namespace, text: str) -> PretrainArguments:
    """Settings of the pretraining stage."""
    from pixel_lm.training.arguments import PretrainArguments

    steps = args.pretrain_steps
    return PretrainArguments(
        text=(text,),
        validation_size=128,
        output_dir=str(args.output_dir / "pretrained"),
        packing="document",
        max_seq_length=_length(args),
        steps=steps,
        strategy="words",
        batch_size=24,
        base_learning_rate=256e-3 / 24,  # peak 1e-3
        dropout=0.0,
        logging_steps=max(1, steps // 30),
        eval_steps=max(1, steps // 3),
        save_steps=max(1, steps // 3),
        keep_checkpoints=1,
        seed=args.seed,
        cpu=True,
        **MASKING,
        **MODEL,
    )


def finetune_arguments(args: argparse.Namespace, treebank: Path, *, pretrained: bool) -> FinetuneArguments:
    """Settings of a fine-tuning stage; the two differ in where the weights come from."""
    from pixel_lm.training.arguments import FinetuneArguments

    steps = args.finetune_steps
    return FinetuneArguments(
        data=str(treebank),
        model=str(args.output_dir / "pretrained"),
        from_scratch=not pretrained,
        output_dir=str(args.output_dir / ("finetuned" if pretrained else "from-scratch")),
        max_seq_length=_length(args),
        steps=steps,
        batch_size=8,
        learning_rate=1e-3,
        warmup_steps=steps // 10,
        eval_steps=max(1, steps // 6),
        logging_steps=max(1, steps // 20),
        early_stopping_patience=0,
        dropout=0.1,
        seed=args.seed,
        cpu=True,
    )


# -- scores ------------------------------------------------------------------------------------------------------------


def predictions(args: argparse.Namespace, treebank: Path) -> tuple[Scored, dict[str, list[list[str]]]]:
    """Tags of every test sentence by each tagger."""
    from pixel_lm.cli._quickstart_report import Scored
    from pixel_lm.tasks.baselines import MostFrequentTag
    from pixel_lm.tasks.pos import TASK as task
    from pixel_lm.training.loading import load_for_task

    train = task.read(task.find_file(treebank, "train"))
    test = task.read(task.find_file(treebank, "test"))
    forms = [sentence.forms for sentence in test]
    baseline = MostFrequentTag((sentence.forms, task.read_tags(sentence)) for sentence in train)
    tags = {"most frequent tag of each word": [baseline(words) for words in forms]}
    for name, folder in (("pixels, without pretraining", "from-scratch"), ("pixels, with pretraining", "finetuned")):
        model, renderer = load_for_task(task, str(args.output_dir / folder), cpu=True)
        tags[name] = task.predict(model, renderer, test, batch_size=32)
    return Scored(test, {form for sentence in train for form in sentence.forms}), tags


def score(scored: Scored, predicted: list[list[str]]) -> dict[str, float]:
    """Accuracy over all words, and over those whose form is not in the training data."""
    from pixel_lm.tasks.pos import TASK as task

    read_tags = task.read_tags
    right = total = new_right = new = 0
    for sentence, tags in zip(scored.test, predicted, strict=True):
        for form, gold, guess in zip(sentence.forms, read_tags(sentence), tags, strict=True):
            total += 1
            right += gold == guess
            if form not in scored.known:
                new += 1
                new_right += gold == guess
    return {
        "accuracy": right / total,
        "accuracy_new_words": new_right / new if new else float("nan"),
        "words": total,
        "new_words": new,
    }


def _print_table(scores: dict[str, dict[str, float]], synthetic: bool) -> None:
    first = next(iter(scores.values()))
    what = "synthetic corpus made by grammars, no natural language" if synthetic else "treebank"
    print(f"\nPart-of-speech accuracy on {first['words']} test words ({what})\n")
    print(f"  {'tagger':34} {'all words':>10} {'new words':>10}")
    for name, values in scores.items():
        print(f"  {name:34} {100 * values['accuracy']:10.2f} {100 * values['accuracy_new_words']:10.2f}")
    share = 100 * first["new_words"] / first["words"]
    print(f"\n  new words: forms that the training data does not have, {share:.0f} % of the test words")
