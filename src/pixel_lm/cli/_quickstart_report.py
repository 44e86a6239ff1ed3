"""The report page of the quickstart."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixel_lm.analysis.reconstruction import reconstruct
from pixel_lm.analysis.report import Report, TaggedWord, line_chart
from pixel_lm.models import PixelForPreTraining
from pixel_lm.rendering import TextRenderer
from pixel_lm.tasks.pos import TASK
from pixel_lm.training.loading import load_model
from pixel_lm.training.trainer import LOG_HISTORY

if TYPE_CHECKING:
    from pixel_lm.data.conllu import Sentence

EXAMPLE = "Pixels in, pixels out: a model of language that reads the image of text, in any script that can be typeset."
SCRIPTS = ("en", "ru", "el", "he", "ar", "hi", "th", "ja", "ko")
RECONSTRUCTED = (
    "The statement is used to define a function, and the name of the function is bound in the current namespace.",
    "Машина быстро едет по дороге, а дети смотрят из окна на большой зелёный лес.",
)
SENTENCES_SHOWN = 8


class Scored:
    """The test sentences, which forms training had, and the gold tags."""

    def __init__(self, test: list[Sentence], known: set[str]) -> None:
        self.test = test
        self.known = known


def write_report(
    args: argparse.Namespace,
    output: Path,
    treebank: Path,
    text: str,
    pretraining: dict[str, Any],
    scored: Scored,
    tags: dict[str, list[list[str]]],
    scores: dict[str, dict[str, float]],
) -> Path:
    """Write `report.html` into the output folder and return its path."""
    report = Report("pixel-lm quickstart", "A tiny language model that reads pixels, trained on this machine.")
    report.paragraph(
        f"A model of {pretraining['num_parameters']:,} parameters was pretrained for {pretraining['steps']} steps to fill in "
        f"masked patches of rendered text ({Path(text).name}), then fine-tuned to tag parts of speech on {treebank.name}. "
        f"The same model was also fine-tuned from random weights. Seed {args.seed}."
    )
    if args.treebank is None:
        report.paragraph(
            "The tagged corpus is synthetic: grammars of four languages made it, and the pretraining text holds other "
            "sentences of the same grammars. The scores show that the whole path works; they say nothing about natural "
            "language. For that, give a treebank and a text: make quickstart TREEBANK=DIR TEXT=FILE.",
            note=True,
        )
    report.heading("Part-of-speech accuracy")
    best = max(scores, key=lambda name: scores[name]["accuracy"])
    report.table(
        ["tagger", "all words, %", "new words, %"],
        [
            [name, f"{100 * values['accuracy']:.2f}", f"{100 * values['accuracy_new_words']:.2f}"]
            for name, values in scores.items()
        ],
        best=list(scores).index(best),
    )
    first = next(iter(scores.values()))
    report.paragraph(
        f"{first['words']:.0f} test words; {first['new_words']:.0f} of them are forms that the training data does not have."
    )
    report.heading("Training")
    report.charts(_charts(output))
    _strips(report, output)
    _reconstructions(report, output, args.seed)
    _tagged(report, scored, tags)
    report.heading("Settings")
    for stage in ("pretrained", "from-scratch", "finetuned"):
        settings = (output / stage / "arguments.yaml").read_text(encoding="utf-8")
        report.code(settings, f"{stage}/arguments.yaml, usable as a recipe")
    return report.save(output / "report.html")


def _history(folder: Path, key: str) -> list[tuple[float, float]]:
    lines = (folder / LOG_HISTORY).read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    return [(entry["step"], entry[key]) for entry in entries if key in entry]


def _charts(output: Path) -> list[str]:
    stages = {"without pretraining": output / "from-scratch", "with pretraining": output / "finetuned"}
    return [
        line_chart(
            {
                "training": _history(output / "pretrained", "loss"),
                "validation": _history(output / "pretrained", "eval_loss"),
            },
            "Pretraining: error on masked patches",
            "steps",
            "loss",
        ),
        line_chart(
            {
                name: [(step, 100 * value) for step, value in _history(folder, "eval_accuracy")]
                for name, folder in stages.items()
            },
            "Fine-tuning: accuracy on validation data",
            "steps",
            "%",
        ),
    ]


def _strips(report: Report, output: Path) -> None:
    from pixel_lm.data.texts import project_texts

    report.heading("What the model sees")
    renderer = TextRenderer.from_pretrained(output / "pretrained")
    texts = project_texts(SCRIPTS)
    samples = [EXAMPLE, *(texts[code][0][:90] for code in SCRIPTS[1:])]
    missing = "".join(renderer(sample).unknown_glyphs for sample in samples)
    for sample in samples:
        rendering = renderer(sample)
        report.picture(rendering.image(44, grid=True, scale=2), sample)
    if missing:
        report.paragraph(
            "Squares with a question mark stand for characters that no font of this machine has: get fonts with "
            "`pixel-lm fonts install`.",
            note=True,
        )


def _reconstructions(report: Report, output: Path, seed: int) -> None:
    report.heading("What it fills in")
    model = load_model(PixelForPreTraining, str(output / "pretrained"))
    report.paragraph(
        f"{100 * model.config.mask_ratio:.0f} % of the patches were hidden. The model predicts the shape of each hidden patch; "
        "brightness and contrast are taken from the original, so look at the strokes, not at the shade."
    )
    renderer = TextRenderer.from_pretrained(output / "pretrained")
    for text in RECONSTRUCTED:
        result = reconstruct(model, renderer, text, max_span_length=2, seed=seed)
        report.picture(
            result.image(44, 2),
            f"loss {result.loss:.3f} on hidden patches; a blank guess has {result.baseline_loss:.3f}",
        )


def _tagged(report: Report, scored: Scored, tags: dict[str, list[list[str]]]) -> None:
    name = list(tags)[-1]
    report.heading(f"Test sentences, tagged by: {name}")
    report.paragraph("Errors are red, with the right tag below. Dotted: forms that are not in the training data.")
    read_tags = TASK.read_tags
    step = max(1, len(scored.test) // SENTENCES_SHOWN)
    shown: Sequence[int] = range(0, len(scored.test), step)[:SENTENCES_SHOWN]
    for index in shown:
        sentence = scored.test[index]
        words = [
            TaggedWord(form, gold, predicted, form not in scored.known)
            for form, gold, predicted in zip(sentence.forms, read_tags(sentence), tags[name][index], strict=True)
        ]
        first = sentence.forms[0][:1]
        report.tagged_sentence(words, right_to_left="\u0590" <= first <= "\u08ff")  # Hebrew, Arabic and their kin
