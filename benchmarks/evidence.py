"""Every task of fine-tuning on real data, at a size that a CPU trains in minutes, beside a baseline.

    python benchmarks/evidence.py --data DIR --pixel FOLDER [--text-model FOLDER] --output RUNS [--only parsing-ewt …]

DIR holds the data sets as they are published (folders `ud`, `ner`, `glue`, `nli`, `qa`, `text`; a set that is not there is an error, not a
gap). Sets of which only the development part may be shared are cut in two, as the table says. FOLDER is a pretrained pixel model, and
with `--text-model` one of a text model of like size. Each row is trained with the pixel model from random weights and from the
pretrained ones, and with the text model from random weights, all with the same data, steps, batches and rule for the best
checkpoint. Commands are printed as they are run; runs that are finished are not repeated. The last lines are a table in Markdown.
"""

from __future__ import annotations

import argparse
import csv
import json
import lzma
import os
import random
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Experiment:
    """A row of the table."""

    name: str
    task: str
    data: str
    """What stands in the table."""
    prepare: Callable[[Path, Path], Sequence[str]]
    """From the folder of data and one to write to: the options that name files."""
    metric: str
    split: str = "test"
    options: dict[str, Any] = field(default_factory=dict)


DEFAULTS: dict[str, Any] = {
    "steps": 1500,
    "batch_size": 16,
    "learning_rate": 1e-3,
    "warmup_steps": 150,
    "eval_steps": 500,
    "early_stopping_patience": 0,
    "max_seq_length": 160,
}


def open_text(path: Path) -> Iterable[str]:
    """Lines of a file, `.xz` or not."""
    if not path.is_file():
        raise SystemExit(f"{path}: no such file; --data names the folder that holds the data sets")
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as lines:
        yield from lines


def read_csv(path: Path, columns: Sequence[str] | None = None) -> Rows:
    """Rows of a table with commas."""
    return list(csv.DictReader(open_text(path), columns))


def write_tsv(path: Path, rows: Rows, columns: Sequence[str], header: bool = True) -> Path:
    """A table with tabs, in which nothing is quoted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(columns)] if header else []
    lines += ["\t".join(" ".join(row[column].split()) for column in columns) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def shuffled(rows: Rows) -> Rows:
    """The same in random order."""
    rows = list(rows)
    random.Random(0).shuffle(rows)
    return rows


def files(train: Path, validation: Path, test: Path | None = None) -> list[str]:
    """Options that name files."""
    options = ["--train-file", str(train), "--validation-file", str(validation)]
    return [*options, "--test-file", str(test)] if test else options


def treebank(name: str) -> Callable[[Path, Path], Sequence[str]]:
    """A treebank of Universal Dependencies."""
    return lambda data, work: ["--data", str(data / "ud" / name)]


def entities(language: str) -> Callable[[Path, Path], Sequence[str]]:
    """A language of MasakhaNER."""
    return lambda data, work: ["--data", str(data / "ner" / "masakhaner-v1" / language)]


def mnli(data: Path, work: Path) -> Sequence[str]:
    """Development data: the matched part to train on, the mismatched to score."""
    rows = [
        {"sentence1": row["premise"], "sentence2": row["hypothesis"], "gold_label": row["label"]}
        for row in read_csv(data / "glue" / "mnli-dev.csv.xz")
    ]
    columns = ["sentence1", "sentence2", "gold_label"]
    matched, mismatched = rows[:9815], rows[9815:]
    return files(write_tsv(work / "train.tsv", matched, columns), write_tsv(work / "dev.tsv", mismatched, columns))


def qnli(data: Path, work: Path) -> Sequence[str]:
    """Development data, cut between questions."""
    rows = [
        {"question": row["premise"], "sentence": row["hypothesis"], "label": row["label"]}
        for row in read_csv(data / "glue" / "qnli-dev.csv.xz")
    ]
    columns = ["question", "sentence", "label"]
    questions = sorted({row["question"] for row in rows})
    random.Random(0).shuffle(questions)
    held_out = set(questions[: len(questions) // 6])
    train = [row for row in rows if row["question"] not in held_out]
    dev = [row for row in rows if row["question"] in held_out]
    return files(write_tsv(work / "train.tsv", train, columns), write_tsv(work / "dev.tsv", dev, columns))


def wnli(data: Path, work: Path) -> Sequence[str]:
    """As published."""
    columns = ["sentence1", "sentence2", "label"]

    def part(split: str) -> Path:
        rows = [
            {
                "sentence1": row["premise"],
                "sentence2": row["hypothesis"],
                "label": str(int(row["label"] == "entailment")),
            }
            for row in read_csv(data / "glue" / f"wnli-{split}.csv")
        ]
        return write_tsv(work / f"{split}.tsv", rows, columns)

    return files(part("train"), part("dev"))


def stsb(data: Path, work: Path) -> Sequence[str]:
    """As published; the test part, whose labels are known by now, is scored."""
    columns = ["sentence1", "sentence2", "score"]

    def part(split: str, suffix: str = "") -> Path:
        rows = read_csv(data / "glue" / f"stsb-en-{split}.csv{suffix}", columns)
        return write_tsv(work / f"{split}.tsv", rows, columns)

    return files(part("train", ".xz"), part("dev"), part("test"))


def sentiment(data: Path, work: Path) -> Sequence[str]:
    """Sentences of film and restaurant reviews in the format of SST-2."""
    rows: Rows = []
    for source in ("imdb", "yelp"):
        for line in open_text(data / "glue" / "uci-sentiment" / f"{source}_labelled.txt"):
            text, label = line.rstrip("\n").rsplit("\t", 1)
            rows.append({"sentence": text, "label": label.strip()})
    rows = shuffled(rows)
    columns = ["sentence", "label"]
    train, dev, test = (
        write_tsv(work / f"{split}.tsv", part, columns)
        for split, part in (("train", rows[:1400]), ("dev", rows[1400:1600]), ("test", rows[1600:]))
    )
    return files(train, dev, test)


def acceptability(data: Path, work: Path) -> Sequence[str]:
    """Minimal pairs of BLiMP in the format of CoLA; both sentences of a pair are in the same part."""
    pairs = [json.loads(line) for line in open_text(data / "glue" / "blimp.jsonl.xz")]
    random.Random(0).shuffle(pairs)
    columns = ["source", "label", "mark", "sentence"]

    def part(split: str, chosen: Sequence[dict[str, str]]) -> Path:
        rows = [
            {
                "source": "blimp",
                "label": str(int(kind == "good")),
                "mark": "" if kind == "good" else "*",
                "sentence": pair[f"sentence_{kind}"],
            }
            for pair in chosen
            for kind in ("good", "bad")
        ]
        return write_tsv(work / f"{split}.tsv", shuffled(rows), columns, header=False)

    return files(part("train", pairs[:10_000]), part("dev", pairs[10_000:10_500]), part("test", pairs[10_500:11_500]))


def xnli(data: Path, work: Path) -> Sequence[str]:
    """English: trained on most of the development part, scored on the test part."""
    columns = ["premise", "hypothesis", "label"]

    def rows(split: str) -> Rows:
        lines = [
            line.rstrip("\n").split("\t") for line in open_text(data / "nli" / "xnli-my" / f"my.genre.{split}.tsv.xz")
        ]
        return [
            dict(zip(columns, (row[2], row[3], row[1]), strict=True))
            for line in lines[1:]
            for row in [[part.strip() for part in line]]
        ]

    dev = shuffled(rows("dev"))
    return files(
        write_tsv(work / "train.tsv", dev[:2000], columns),
        write_tsv(work / "dev.tsv", dev[2000:], columns),
        write_tsv(work / "test.tsv", rows("test"), columns),
    )


def snli(data: Path, work: Path) -> Sequence[str]:
    """Development data, cut between premises."""
    columns = ["premise", "hypothesis", "label"]
    rows = read_csv(data / "glue" / "snli-dev.csv.xz")
    premises = sorted({row["premise"] for row in rows})
    random.Random(0).shuffle(premises)
    tenth = len(premises) // 10
    parts = dict.fromkeys(premises[:tenth], "dev") | dict.fromkeys(premises[tenth : 2 * tenth], "test")
    train, dev, test = (
        write_tsv(work / f"{split}.tsv", [r for r in rows if parts.get(r["premise"], "train") == split], columns)
        for split in ("train", "dev", "test")
    )
    return files(train, dev, test)


def squad(data: Path, work: Path) -> Sequence[str]:
    """Development data, cut between articles."""
    content = json.loads("".join(open_text(data / "qa" / "squad-v1.1" / "dev-v1.1.rebuilt.json.xz")))
    work.mkdir(parents=True, exist_ok=True)
    articles = content["data"]
    paths = []
    for split, part in (("train", articles[:40]), ("dev", articles[40:44]), ("test", articles[44:])):
        paths.append(work / f"{split}.json")
        paths[-1].write_text(json.dumps({"version": "1.1", "data": part}, ensure_ascii=False), encoding="utf-8")
    return files(*paths)


def languages(data: Path, work: Path) -> Sequence[str]:
    """Which language a sentence is in: the same sentences in all of them, others in each part."""
    parts: dict[str, Rows] = {"train": [], "dev": [], "test": []}
    for line in open_text(data / "text" / "multilingual" / "ntrex128.jsonl.xz"):
        record = json.loads(line)
        name = record["file"].rsplit(".", 2)[-2]
        for split, chosen in (("train", slice(0, 120)), ("dev", slice(120, 130)), ("test", slice(130, 140))):
            parts[split] += [{"text": sentence, "label": name} for sentence in record["sentences"][chosen]]
    return files(*(write_tsv(work / f"{split}.tsv", rows, ["text", "label"]) for split, rows in parts.items()))


def questions(train: str, dev: str) -> Callable[[Path, Path], Sequence[str]]:
    """Published files."""
    return lambda data, work: files(data / "qa" / train, data / "qa" / dev)


QA = {
    "max_seq_length": 256,
    "stride": 96,
    "question_max_length": 80,
    "steps": 600,
    "warmup_steps": 60,
    "eval_steps": 300,
}
PAIRS = {"max_seq_length": 200}

EXPERIMENTS = (
    Experiment("pos-ewt", "pos", "UD English-EWT", treebank("UD_English-EWT"), "accuracy"),
    Experiment("pos-vtb", "pos", "UD Vietnamese-VTB", treebank("UD_Vietnamese-VTB"), "accuracy"),
    Experiment("parsing-ewt", "parsing", "UD English-EWT", treebank("UD_English-EWT"), "las"),
    Experiment("parsing-coptic", "parsing", "UD Coptic-Scriptorium", treebank("UD_Coptic-Scriptorium"), "las"),
    Experiment("ner-hau", "ner", "MasakhaNER, Hausa", entities("hau"), "f1"),
    Experiment("ner-amh", "ner", "MasakhaNER, Amharic", entities("amh"), "f1"),
    Experiment(
        "glue-mnli", "glue", "MNLI: trained on dev matched, scored on dev mismatched", mnli, "accuracy", "eval",
        {"glue_task": "mnli"} | PAIRS,
    ),
    Experiment("glue-qnli", "glue", "QNLI: five sixths of dev, the rest", qnli, "accuracy", "eval", {"glue_task": "qnli"} | PAIRS),
    Experiment("glue-stsb", "glue", "STS-B", stsb, "pearson", "test", {"glue_task": "stsb"}),
    Experiment("glue-wnli", "glue", "WNLI", wnli, "accuracy", "eval", {"glue_task": "wnli", "steps": 500, "eval_steps": 100}),
    Experiment("glue-sst2", "glue", "UCI sentiment in place of SST-2", sentiment, "accuracy", "test", {"glue_task": "sst2"}),
    Experiment("glue-cola", "glue", "BLiMP in place of CoLA", acceptability, "matthews_correlation", "test", {"glue_task": "cola"}),
    Experiment(
        "classification-languages", "classification", "NTREX-128: which of the languages", languages, "accuracy", "test",
        {"max_seq_length": 96, "eval_batch_size": 32},
    ),
    Experiment("nli-xnli", "nli", "XNLI English: 2000 pairs of dev, test", xnli, "accuracy", "test", PAIRS),
    Experiment("nli-snli", "nli", "SNLI: eight tenths of dev, one tenth", snli, "accuracy", "test", {}),
    Experiment(
        "qa-tydiqa", "qa", "TyDiQA-GoldP English",
        questions("tydiqa-goldp/english_tydiqa_train.json.xz", "tydiqa-goldp/english_tydiqa_dev.json.xz"), "f1", "eval", QA,
    ),
    Experiment("qa-squad", "qa", "SQuAD 1.1: 40 articles of dev, 4", squad, "f1", "test", QA),
    Experiment(
        "qa-jaquad", "qa", "JaQuAD, 4000 / 1000 questions",
        questions("jaquad/jaquad_train.json.xz", "jaquad/jaquad_dev.json.xz"), "f1", "eval",
        QA | {"answer_rule": "jaquad", "max_train_examples": 4000, "max_eval_examples": 1000},
    ),
)  # fmt: skip


def run(experiment: Experiment, start: Sequence[str], data: Path, output: Path, device: Sequence[str]) -> Path:
    """Train one cell of the table, if that was not done before. Its folder."""
    options = {**DEFAULTS, **experiment.options}
    given = [text for name, value in options.items() for text in ("--" + name.replace("_", "-"), str(value))]
    where = experiment.prepare(data, output.parents[1] / "data" / experiment.name)
    command = [
        "pixel-lm", "finetune", experiment.task, *start, *where, *given, *device, "--output-dir", str(output),
    ]  # fmt: skip
    print(shlex.join(command), flush=True)
    if not (output / "all_results.json").is_file():
        output.parent.mkdir(parents=True, exist_ok=True)
        with output.with_suffix(".log").open("ab") as log:
            program = [sys.executable, "-m", "pixel_lm", *command[1:]]
            finished = subprocess.run(program, stdout=log, stderr=subprocess.STDOUT, env=dict(os.environ), check=False)
        if finished.returncode:
            raise SystemExit(f"failed, see {output.with_suffix('.log')}")
    return output


def main() -> int:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--pixel", required=True, metavar="FOLDER", help="pretrained pixel model")
    parser.add_argument("--text-model", metavar="FOLDER", help="text model of like size")
    parser.add_argument("--output", type=Path, required=True, help="folder for the runs")
    names = [experiment.name for experiment in EXPERIMENTS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="ROW", help=f"rows to train: {', '.join(names)}")
    parser.add_argument("--cpu", action="store_true", help="compute on the CPU even if there is a GPU")
    args = parser.parse_args()
    device = ["--cpu"] if args.cpu else []
    columns = {
        "pixel, random": ["--model", args.pixel, "--from-scratch"],
        "pixel, pretrained": ["--model", args.pixel],
    }
    if args.text_model:
        columns["text, random"] = ["--model", args.text_model, "--from-scratch"]
    lines = [f"| task | data | score | baseline | {' | '.join(columns)} |", "|---" * (4 + len(columns)) + "|"]
    for experiment in EXPERIMENTS:
        if args.only and experiment.name not in args.only:
            continue
        cells, baseline = [], None
        for column, start in columns.items():
            folder = args.output / experiment.name / column.replace(", ", "-")
            results = json.loads((run(experiment, start, args.data, folder, device) / "all_results.json").read_text())
            cells.append(f"{100 * results[f'{experiment.split}_{experiment.metric}']:.1f}")
            baseline = 100 * results[f"{experiment.split}_baseline_{experiment.metric}"]
        lines.append(
            f"| {experiment.task} | {experiment.data} | {experiment.metric.replace('_', ' ')} | {baseline:.1f} | {' | '.join(cells)} |"
        )
        print(lines[-1], flush=True)
    print("\n".join(["", *lines]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
