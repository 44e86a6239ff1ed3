"""Every task: a tiny model learns a tiny set, so that labels are proven to sit on the right patches, and is used by the verbs."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pixel_lm.cli.main import main
from pixel_lm.data.conllu import read_conllu
from pixel_lm.data.glue import GLUE_TASKS
from pixel_lm.data.ner import read_ner
from pixel_lm.errors import UserError
from pixel_lm.models import PixelConfig, PixelForPreTraining
from pixel_lm.rendering import TextRenderer
from pixel_lm.tasks import TASKS
from pixel_lm.training.arguments import FinetuneArguments
from pixel_lm.training.finetune import run_finetuning
from pixel_lm.training.loading import load_config
from pixel_lm.training.recipes import find_recipe, read_recipe, recipe_names, recipes_dir

NAMES = {"PER": ["Anna", "Boris"], "LOC": ["Oslo", "Quito"]}
OTHER = ["sees", "in", "the", "and"]


def ner(rng: random.Random) -> str:
    rows = []
    for _ in range(5):
        kind = rng.choice(["PER", "LOC", "O", "O"])
        rows.append(f"{rng.choice(NAMES.get(kind, OTHER))} {'O' if kind == 'O' else 'B-' + kind}")
    return "\n".join(rows) + "\n\n"


def tree(rng: random.Random) -> str:
    """The verb is the root, wherever it stands; subject and object are told by their words."""
    words = [("sees", "root"), (rng.choice(["he", "she"]), "nsubj"), (rng.choice(["it", "them"]), "obj")]
    rng.shuffle(words)
    root = 1 + [relation for _, relation in words].index("root")
    rows = [
        f"{i}\t{form}\t_\tX\t_\t_\t{0 if relation == 'root' else root}\t{relation}\t_\t_"
        for i, (form, relation) in enumerate(words, start=1)
    ]
    return "\n".join(rows) + "\n\n"


def write_splits(folder: Path, name: str, make: Callable[[random.Random, int], str]) -> Path:
    folder.mkdir()
    for seed, (split, count) in enumerate({"train": 48, "dev": 12, "test": 12}.items()):
        (folder / name.format(split=split)).write_text(make(random.Random(seed), count), encoding="utf-8")
    return folder


def table(rng: random.Random, count: int) -> str:
    rows = []
    for _ in range(count):
        label = rng.choice(["animal", "plant"])
        rows.append(f"{rng.choice({'animal': ['cat', 'dog'], 'plant': ['oak', 'elm']}[label])}\t{label}")
    return "text\tlabel\n" + "\n".join(rows) + "\n"


def pairs(rng: random.Random, count: int) -> str:
    words = {"entailment": "yes", "neutral": "mmm", "contradiction": "NO"}
    rows = [
        {"sentence1": "it is", "sentence2": words[label], "gold_label": label}
        for label in rng.choices(list(words), k=count)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def squad(rng: random.Random, count: int) -> str:
    paragraphs = []
    for number in range(count):
        words = [rng.choice(["aa", "ii", "oo"]) for _ in range(14)]
        place = rng.randrange(14)
        words[place] = rng.choice(["WWW", "MMM"])
        start = len(" ".join(words[:place])) + (place > 0)
        answer = {"text": words[place], "answer_start": start}
        question = {"id": f"q{number}", "question": "big?", "answers": [answer]}
        paragraphs.append({"context": " ".join(words), "qas": [question]})
    return json.dumps({"version": "1.1", "data": [{"title": "t", "paragraphs": paragraphs}]})


def glue(task: str, folder: Path) -> Path:
    """A folder of a task of GLUE in the published format, with four rows per file."""
    chosen = GLUE_TASKS[task]
    columns = chosen.headless or (*chosen.texts, chosen.label)
    rows = []
    for index in range(4):
        label = chosen.labels[index % len(chosen.labels)] if chosen.labels else str(float(index))
        if task in ("cola", "sst2", "mrpc", "qqp", "wnli"):
            label = str(index % 2)
        values = {
            **dict.fromkeys(columns, "x"),
            **dict.fromkeys(chosen.texts, f"A text , no {index} ."),
            chosen.label: label,
        }
        rows.append("\t".join(values[column] for column in columns))
    header = [] if chosen.headless else ["\t".join(columns)]
    folder.mkdir()
    for split in ("train", "dev_matched", "dev_mismatched") if task == "mnli" else ("train", "dev"):
        (folder / f"{split}.tsv").write_text("\n".join([*header, *rows]) + "\n", encoding="utf-8")
    return folder


DATA: dict[str, tuple[str, Callable[[random.Random, int], str]]] = {
    "ner": ("{split}.txt", lambda rng, count: "".join(ner(rng) for _ in range(count))),
    "parsing": ("x-ud-{split}.conllu", lambda rng, count: "".join(tree(rng) for _ in range(count))),
    "classification": ("{split}.tsv", table),
    "nli": ("{split}.jsonl", pairs),
    "qa": ("{split}.json", squad),
}
WANTED = {"ner": 0.9, "parsing": 0.8, "classification": 0.9, "nli": 0.9, "qa": 0.7}
SETTINGS: dict[str, dict[str, Any]] = {
    "ner": {"max_seq_length": 40, "steps": 150},
    "parsing": {"max_seq_length": 24, "steps": 200},
    "classification": {"max_seq_length": 16, "steps": 60},
    "nli": {"max_seq_length": 24, "steps": 100},
    "qa": {"max_seq_length": 18, "steps": 300, "stride": 5, "question_max_length": 8},
}


def settings(tiny_encoder: dict[str, Any], task: str, data: Path, output_dir: Path, **changes: Any) -> Any:
    values = tiny_encoder | {
        "task": task, "data": str(data), "output_dir": str(output_dir), "from_scratch": True, "batch_size": 8,
        "learning_rate": 3e-3, "dropout": 0.0, "warmup_steps": 2, "eval_steps": 50, "early_stopping_patience": 0,
    }  # fmt: skip
    return FinetuneArguments(**values | changes)


@pytest.mark.parametrize("task", DATA)
def test_learns_evaluates_predicts_and_reloads(
    tmp_path: Path, task: str, tiny_encoder: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    name, make = DATA[task]
    data = write_splits(tmp_path / "data", name, make)
    run = tmp_path / "run"
    results = run_finetuning(settings(tiny_encoder, task, data, run, save_predictions=True, **SETTINGS[task]))
    metric = {"ner": "f1", "parsing": "las", "qa": "f1"}.get(task, "accuracy")
    assert results[f"test_{metric}"] > WANTED[task], results
    assert 0 <= results[f"test_baseline_{metric}"] <= 1
    assert results["test_coverage"] == results["train_coverage"] == 1.0
    if task == "qa":  # several windows per question, in training and in evaluation
        assert results["train_windows"] > results["train_questions"] == 48

    capsys.readouterr()
    test_file = data / name.format(split="test")
    model = ["--model", str(run), "--cpu"]
    assert main(["evaluate", task, str(data), *model, "--json", str(tmp_path / "scores.json")]) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores[metric] == pytest.approx(results[f"test_{metric}"], abs=1e-6)
    report = tmp_path / "report"
    assert main(["evaluate", task, str(data), *model, "--report", str(report)]) == 0
    written = json.loads((report / "report.json").read_text())
    assert (
        written["scores"] == scores and len((report / "errors.tsv").read_text().splitlines()) == written["errors"] + 1
    )
    assert (report / "confusion.png").exists() == (task != "qa")
    if task == "parsing":
        assert 1 - written["errors"] / written["words"] == pytest.approx(scores["las"])
        assert read_conllu(report / "errors.conllu") if written["errors"] else True
    elif task in ("classification", "nli"):
        assert 1 - written["errors"] / written["examples"] == pytest.approx(scores["accuracy"])
    capsys.readouterr()
    output = tmp_path / "predictions"
    assert main(["predict", task, str(test_file), *model, "--output", str(output)]) == 0
    suffix = {"ner": ".txt", "parsing": ".conllu", "qa": ".json"}.get(task, ".tsv")
    assert output.read_bytes() == (run / f"test_predictions{suffix}").read_bytes()
    if task == "ner":
        gold, found = read_ner(test_file), read_ner(output)
        right = [a == b for g, f in zip(gold, found, strict=True) for a, b in zip(g.tags, f.tags, strict=True)]
        assert sum(right) / len(right) == pytest.approx(results["test_accuracy"])
    elif task == "parsing":
        pairs_of_words = [
            (g, f)
            for a, b in zip(read_conllu(test_file), read_conllu(output), strict=True)
            for g, f in zip(a.words, b.words, strict=True)
        ]
        right = [g.head == f.head and g.deprel == f.deprel for g, f in pairs_of_words]
        assert sum(right) / len(right) == pytest.approx(results["test_las"])
        trees, scored = tmp_path / "trees.conllu", tmp_path / "trees.json"
        assert main(["evaluate", task, str(data), *model, "--decoding", "tree", "--json", str(scored)]) == 0
        assert main(["predict", task, str(test_file), *model, "--decoding", "tree", "-o", str(trees)]) == 0
        assert main(["score", str(test_file), str(trees), "--json", str(tmp_path / "conll18.json")]) == 0
        assert json.loads((tmp_path / "conll18.json").read_text())["las"] == json.loads(scored.read_text())["las"]
    elif task == "qa":
        assert len(json.loads(output.read_text())) == 12
        best = tmp_path / "best.json"
        assert main(["predict", task, str(test_file), *model, "-o", str(output), "--n-best-output", str(best)]) == 0
        candidates = json.loads(best.read_text())["q0"]
        assert candidates[0]["text"] == json.loads(output.read_text())["q0"] and len(candidates) > 1
    else:
        assert output.read_text().startswith("index\tprediction\n0\t")


def xnli(folder: Path) -> Path:
    """The layout of translate-train-all, two languages."""
    folder.mkdir()
    rows = [("A man sleeps.", "He does not.", "contradiction"), ("A man sleeps.", "He rests.", "entailment")] * 2
    for language in ("en", "fr"):
        lines = ["premise\thypo\tlabel", *("\t".join((p, h, c.replace("ion", "ory"))) for p, h, c in rows)]
        (folder / f"multinli.train.{language}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for split in ("dev", "test"):
        lines = ["language\tgold_label\tsentence1\tsentence2"]
        lines += [f"{language}\t{c}\t{p}\t{h}" for language in ("en", "fr") for p, h, c in rows]
        (folder / f"xnli.{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_xnli_has_a_score_for_each_language(tmp_path: Path, tiny_encoder: dict[str, Any]) -> None:
    values = {"language": "all", "steps": 2, "eval_steps": 2, "max_seq_length": 24}
    results = run_finetuning(settings(tiny_encoder, "nli", xnli(tmp_path / "data"), tmp_path / "run", **values))
    assert results["train_examples"] == 8
    each = [results[f"test_accuracy_{language}"] for language in ("en", "fr")]
    assert results["test_accuracy"] == pytest.approx(sum(each) / 2)


def test_a_model_remembers_its_options(tmp_path: Path, tiny_encoder: dict[str, Any]) -> None:
    """Also one that did not begin with random weights, and with the options of its last training."""
    data, pretrained = glue("cola", tmp_path / "data"), tmp_path / "pretrained"
    sizes = {name: value for name, value in tiny_encoder.items() if name != "cpu"}
    decoder = {"decoder_hidden_size": 16, "decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 2}
    PixelForPreTraining(PixelConfig(**sizes, **decoder, image_size=(16, 640))).save_pretrained(pretrained)
    TextRenderer(max_seq_length=40).save_pretrained(pretrained)
    small = {"steps": 2, "eval_steps": 2, "max_seq_length": 40, "from_scratch": False}
    run_finetuning(
        settings(tiny_encoder, "glue", data, tmp_path / "cola", model=str(pretrained), glue_task="cola", **small)
    )
    assert main(["evaluate", "glue", str(data), "--split", "dev", "--model", str(tmp_path / "cola"), "--cpu"]) == 0
    assert load_config(str(tmp_path / "cola")).task_options == {"glue_task": "cola"}
    sst2 = glue("sst2", tmp_path / "sst2-data")
    run_finetuning(
        settings(tiny_encoder, "glue", sst2, tmp_path / "sst2", model=str(tmp_path / "cola"), glue_task="sst2", **small)
    )
    assert load_config(str(tmp_path / "sst2")).task_options == {"glue_task": "sst2"}


def sample(task: str, glue_task: str | None, language: str | None, folder: Path) -> Path:
    if task == "glue":
        assert glue_task is not None
        return glue(glue_task, folder)
    if task == "pos":
        return write_splits(folder, *DATA["parsing"])
    if task == "nli" and language == "all":
        return xnli(folder)
    return write_splits(folder, *DATA[task])


RECIPES = [(task, name) for task in TASKS for name in recipe_names(f"finetune/{task}")]


@pytest.mark.parametrize(("task", "recipe"), RECIPES)
def test_each_recipe_trains(tmp_path: Path, task: str, recipe: str, tiny_encoder: dict[str, Any]) -> None:
    values = read_recipe(find_recipe(recipe, f"finetune/{task}"), FinetuneArguments)
    data = sample(task, values.get("glue_task"), values.get("language"), tmp_path / "data")
    small: dict[str, Any] = {
        "model": None,
        "steps": 3,
        "batch_size": 4,
        "gradient_accumulation_steps": 1,
        "eval_steps": 3,
    }
    small |= {"max_train_examples": 8, "max_eval_examples": 8, "max_seq_length": 40, "learning_rate": 1e-3}
    if task == "qa":
        small |= {"stride": 4, "question_max_length": 8}
    values.pop("data", None)
    if recipe == "tydiqa":  # the language stands in the id
        languages = "english arabic bengali finnish indonesian korean russian swahili telugu".split()
        small["max_eval_examples"] = len(languages)
        for path in data.iterdir():
            name = re.compile(r'"q(\d+)"')
            path.write_text(name.sub(lambda m: f'"{languages[int(m[1]) % 9]}-{m[1]}"', path.read_text()))
    results = run_finetuning(settings(tiny_encoder, task, data, tmp_path / "run", **values | small))
    assert results["train_steps"] == 3 and results["train_loss"] > 0
    # Whatever is published stands in the results, and the table knows it.
    published = values.get("published_scores") or {}
    assert all(0 <= results[name] <= 1 or name.startswith("eval_spearman") for name in published)
    layout = yaml.safe_load((recipes_dir() / "tables.yaml").read_text())[task]
    listed = {key for _, name, key, _ in layout["columns"] if name == recipe}
    assert listed and listed >= published.keys() - ({"eval_f1"} if recipe == "tydiqa" else set())


def test_a_stride_that_leaves_no_room_names_the_options(tmp_path: Path, tiny_encoder: dict[str, Any]) -> None:
    data = write_splits(tmp_path / "data", *DATA["qa"])
    wanted = r"question q0: stride must lie between 0 and \d+, not 160: .*--stride 160, --question-max-length 8, --max-seq-length 18"
    with pytest.raises(UserError, match=wanted):
        run_finetuning(settings(tiny_encoder, "qa", data, tmp_path / "run", **SETTINGS["qa"] | {"stride": 160}))
