"""The list of data sets: sound, complete for the recipes, and true to files that are known."""

from __future__ import annotations

import hashlib
import json
import lzma
import re
import runpy
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from pixel_lm.data.catalogue import catalogue, find_entry, get_entry
from pixel_lm.errors import UserError
from pixel_lm.tasks import TASKS
from pixel_lm.training.arguments import FinetuneArguments
from pixel_lm.training.recipes import find_recipe, read_recipe, recipe_names

ROOT = Path(__file__).resolve().parents[2]


def test_the_list_is_sound() -> None:
    text = resources.files("pixel_lm.data").joinpath("catalogue.yaml").read_text(encoding="utf-8")
    sources = set(yaml.safe_load(text)["sources"])
    entries = catalogue()
    for of in ("name", "folder", "title"):
        values = [getattr(entry, of).casefold() for entry in entries]
        assert len(set(values)) == len(values), of
    for entry in entries:
        assert re.fullmatch(r"[a-z0-9-]+", entry.name) and set(entry.tasks) <= set(TASKS)
        assert entry.licence and re.match(r"https?://", entry.licence_url)
        assert bool(entry.files) != bool(entry.unavailable)
        names = [file.name for file in entry.files]
        assert len(set(names)) == len(names)
        made = [name for file in entry.files for _, name in file.members or [("", file.into or file.name)]]
        assert all(Path(name).name == name and name != "source.json" for name in made)
        for file in entry.files:
            assert file.url.startswith("https://")
            assert file.size > 1000 and re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert set(filter(None, entry.checksums.split(", "))) <= sources
        assert bool(entry.checksums) == bool(entry.files)


def test_what_is_fetched_unasked_may_be_used_by_all() -> None:
    assert {entry.licence for entry in catalogue() if entry.open} == {
        "Apache-2.0; passages CC BY-SA 3.0",
        "CC BY 4.0",
        "CC BY-SA 3.0",
        "CC BY-SA 4.0",
        "OANC, CC BY-SA 3.0, CC BY 3.0 by part",
    }


@pytest.mark.parametrize("task", [task for task in TASKS if task != "classification"])
def test_recipes_name_their_data(task: str) -> None:
    """All data of recipes are in the list, CoNLL-2003 with the reason why it is not fetched."""
    job = f"finetune/{task}"
    names = recipe_names(job)
    assert names
    for name in names:
        values = read_recipe(find_recipe(name, job), FinetuneArguments)
        entry = find_entry(str(values.get("data")))
        assert entry is not None and task in entry.tasks, name
        assert entry.files or (name == "conll2003" and "Reuters" in str(entry.unavailable))


def test_the_table_of_the_guide_is_that_of_the_list() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "data_table.py"))
    guide = (ROOT / "docs" / "finetuning.md").read_text(encoding="utf-8")
    assert "| `snli` |" in guide
    assert guide == script["renewed"](guide), "run `python scripts/data_table.py`"


def test_looking_up() -> None:
    assert get_entry("UD_English-EWT") is get_entry("ud-english-ewt") is find_entry("UD-English-EWT")
    assert find_entry("nowhere") is None
    with pytest.raises(UserError, match=r"no data set 'snlli' in the list; did you mean snli or xnli\? `pixel-lm data"):
        get_entry("snlli")


def test_pins_agree_with_known_files(shared_dir: Path) -> None:
    """Files that are there, plain or compressed, under the name of the list."""
    data = shared_dir / "data"
    places = {"pos": "ud/{folder}", "ner": "ner/masakhaner-v1/{folder}", "qa": "qa/{folder}"}
    compared = 0
    for entry in catalogue():
        place = places.get(entry.tasks[0])
        for file in entry.files if place else ():
            path = data / str(place).format(folder=entry.folder) / file.name
            packed = path.with_name(f"{path.name}.xz")
            if path.exists() or packed.exists():
                contents = path.read_bytes() if path.exists() else lzma.decompress(packed.read_bytes())
                assert (len(contents), hashlib.sha256(contents).hexdigest()) == (file.size, file.sha256), path
                compared += 1
    assert compared >= 50


def test_pins_of_jaquad_agree_with_its_joined_data(shared_dir: Path) -> None:
    """The parts are tab-indented JSON; articles stand in their order, so that the sizes say where one part ends."""

    def part(articles: list[Any]) -> bytes:
        document = {"version": "JaQuAD-version-0.1.0", "data": articles}
        return json.dumps(document, ensure_ascii=False, indent="\t").encode()

    around, between = len(part([{}])) - len("{}"), len(",\n\t\t")
    for split in ("train", "dev"):
        packed = (shared_dir / "data/qa/jaquad" / f"jaquad_{split}.json.xz").read_bytes()
        articles = json.loads(lzma.decompress(packed))["data"]
        sizes = [len(part([article])) - around for article in articles]
        start = 0
        for file in get_entry("jaquad").files:
            if file.into == f"{split}.json":
                end, size = start, around - between
                while size < file.size:
                    size += sizes[end] + between
                    end += 1
                contents = part(articles[start:end])
                assert (len(contents), hashlib.sha256(contents).hexdigest()) == (file.size, file.sha256)
                start = end
        assert start == len(articles)
