"""Getting data sets: what is there in the end is what the list says, whatever happens on the way."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import lzma
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pixel_lm.data.catalogue import PinnedFile, get_entry
from pixel_lm.data.fetch import fetch, is_present, require
from pixel_lm.errors import UserError
from pixel_lm.tasks import get_task
from pixel_lm.tasks.task import TaskOptions
from pixel_lm.training import FinetuneArguments
from pixel_lm.training.annotated_data import data_files, find_data, split_file
from tests.data_sets import (
    COLA,
    FILES,
    HOST,
    LOCKED,
    MRPC,
    PAIRS,
    PARTS,
    RESTRICTED,
    TREEBANK,
    XNLI,
    archive,
    conllu,
    data_server,
    entry,
    pinned,
)  # fmt: skip
from tests.file_server import FileServer, serve


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FileServer]:
    """A mirror with all files, the list of these data sets, and an empty cache."""
    with data_server(monkeypatch, tmp_path / "cache") as state:
        yield state


@pytest.fixture
def home(server: FileServer, tmp_path: Path) -> Path:
    """Where data sets are put."""
    return tmp_path / "cache" / "data"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_by_name_from_the_network_to_the_reader(home: Path, server: FileServer) -> None:
    arguments = FinetuneArguments(task="pos", data="UD_tiny")
    files = data_files(arguments, get_task("pos"))
    assert {split: path.name for split, path in files.items()} == {
        split: f"tt-ud-{split}.conllu" for split in ("train", "dev", "test")
    }
    (sentence,) = get_task("pos").read(files["test"])
    assert sentence.forms == ["six"] and len(get_task("pos").read(files["train"])) == 200
    record = json.loads((home / "tiny" / "source.json").read_text())
    assert record["licence"] == "CC BY 4.0 (https://l.org/)"
    assert record["files"]["tt-ud-test.conllu"]["sha256"] == TREEBANK.files[2].sha256
    assert names(home) == {"tiny", "tiny.lock"}
    assert len(server.requests) == 3
    assert find_data("tiny") == home / "tiny" and len(server.requests) == 3  # not fetched again
    assert split_file(get_task("pos"), "tiny", "dev") == home / "tiny" / "tt-ud-dev.conllu"
    with pytest.raises(UserError, match="tiny is data for pos, not for ner"):
        find_data("tiny", task="ner")


def test_folders_and_files_go_before_names(home: Path, server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    assert find_data("tiny", str(tmp_path)) == tmp_path / "tiny"
    (tmp_path / "UD_tiny").mkdir()
    (tmp_path / "tiny").rmdir()
    assert find_data("tiny", str(tmp_path)) == tmp_path / "UD_tiny"  # its published name
    files = [tmp_path / "a.conllu", tmp_path / "b.conllu"]
    for file in files:
        file.write_bytes(conllu("a"))
    arguments = FinetuneArguments(data="tiny", train_file=str(files[0]), validation_file=str(files[1]))
    assert data_files(arguments, get_task("pos")) == {"train": files[0], "dev": files[1]}
    assert not server.requests and not home.exists()


def test_the_licence_comes_first(home: Path, server: FileServer) -> None:
    said: list[str] = []
    seen: list[int] = []
    fetch(TREEBANK, announce=lambda text: said.append(f"{text} [{len(seen)}]"), progress=seen.append)
    (line,) = said
    assert line.startswith(f"TINY: licence CC BY 4.0 (https://l.org/); 0.0 MB from {server.url} into ")
    assert line.endswith(" [0]") and seen[0] == 0 and seen[-1] == TREEBANK.size


def test_what_is_restricted_is_not_fetched_unasked(home: Path, server: FileServer) -> None:
    with pytest.raises(UserError, match=r"CC BY-NC 4.0, which restricts its use .*`pixel-lm data get mine`"):
        require(RESTRICTED)
    assert not server.requests
    fetch(RESTRICTED)
    assert require(RESTRICTED) == home / "mine"
    with pytest.raises(UserError, match="LOCKED cannot be fetched: its owners give it to those who ask"):
        require(LOCKED)


def test_a_broken_download_is_continued(home: Path, server: FileServer) -> None:
    path = f"/{HOST}/v1/tt-ud-train.conllu"
    server.faults[path] = [1000, 0, 0]
    with pytest.raises(UserError, match="broke off after 1000 of .* The same command tries again, and keeps"):
        fetch(TREEBANK)
    assert not is_present(TREEBANK) and not (home / "tiny").exists()
    fetch(TREEBANK)
    assert [wanted for where, wanted in server.requests if where == path][-1] == "bytes=1000-"
    assert is_present(TREEBANK) and names(home) == {"tiny", "tiny.lock"}


def test_wrong_contents_never_arrive(home: Path, server: FileServer) -> None:
    server.files[f"/{HOST}/v1/tt-ud-dev.conllu"] = FILES["tt-ud-dev.conllu"].replace(b"four", b"FOUR")
    with pytest.raises(UserError, match=r"tiny: what 127.0.0.1:\d+ sent is not the file of the list \(SHA-256 "):
        fetch(TREEBANK)
    assert not (home / "tiny").exists()
    del server.files[f"/{HOST}/v1/tt-ud-dev.conllu"]
    with pytest.raises(UserError, match=r"tt-ud-dev.conllu: HTTP 404 Not Found"):
        fetch(TREEBANK)


def test_no_network(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said: list[str] = []
        with pytest.raises(UserError) as caught:
            fetch(TREEBANK, base_url=f"http://{address}", announce=said.append)
    message = str(caught.value)
    assert message.startswith(f"cannot reach {address} to download tiny: ") and "\n" not in message and not said
    assert f"fetch https://{HOST}/v1/tt-ud-train.conllu and 2 more (`pixel-lm data list tiny`) elsewhere" in message
    assert "`pixel-lm data get tiny --from FOLDER`" in message and "--data" in message
    assert names(home) == {"tiny.lock"}


def test_from_a_folder(home: Path, server: FileServer, tmp_path: Path) -> None:
    source = tmp_path / "source" / "deeper"
    source.mkdir(parents=True)
    for file in COLA.files:
        (source / file.name).write_bytes(FILES[file.name])
    assert names(fetch(COLA, source=tmp_path / "source")) == {"train.tsv", "dev.tsv", "source.json"}
    with pytest.raises(UserError, match=rf"xnli.zip is not in this folder; it is at https://{HOST}/v1/xnli.zip"):
        fetch(XNLI, source=source)
    (source / "xnli.zip").write_bytes(b"something else")
    with pytest.raises(UserError, match="xnli.zip is not the file of the list"):
        fetch(XNLI, source=source)
    assert not server.requests


def test_what_is_damaged_is_fetched_again(home: Path, server: FileServer) -> None:
    folder = fetch(TREEBANK)
    (folder / "tt-ud-dev.conllu").write_bytes(b"")
    assert not is_present(TREEBANK)
    fetch(TREEBANK)
    assert is_present(TREEBANK) and (folder / "tt-ud-dev.conllu").read_bytes() == FILES["tt-ud-dev.conllu"]
    (folder / "tt-ud-dev.conllu").write_bytes(FILES["tt-ud-dev.conllu"].replace(b"four", b"FOUR"))  # as long as before
    assert is_present(TREEBANK) and not is_present(TREEBANK, verify=True)
    (home / "tiny.tmpkilled").mkdir()
    fetch(TREEBANK)
    assert is_present(TREEBANK, verify=True) and names(home) == {"tiny", "tiny.lock"}
    pinned_anew = dataclasses.replace(TREEBANK, files=TREEBANK.files[:2])
    assert not is_present(pinned_anew) and is_present(dataclasses.replace(TREEBANK, title="Other words"))


def test_a_place_that_cannot_be_written(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="data cannot be stored there .*set PIXEL_LM_CACHE"):
        fetch(TREEBANK, home=tmp_path / "file")


# -- archives and parts ------------------------------------------------------------------------------------------------


def test_members_of_an_archive_and_no_others(home: Path) -> None:
    folder = fetch(COLA)
    assert names(folder) == {"train.tsv", "dev.tsv", "source.json"}
    task = get_task("glue").with_options(TaskOptions(glue_task="cola"))
    (example,) = task.read(task.find_file(folder, "dev"))
    assert (example.texts, example.label) == (("Fine not.",), "unacceptable")


def test_the_layout_of_xnli(home: Path) -> None:
    folder = fetch(XNLI)
    task = get_task("nli").with_options(TaskOptions(language="all"))
    (train,) = task.read(task.find_file(folder, "train"))
    (dev,) = task.read(task.find_file(folder, "dev"))
    assert train.label == "contradiction" and dev.language == "de" and dev.label == "neutral"


@pytest.mark.parametrize(
    ("data", "members", "message"),
    [
        (archive({"a": b"x"}), {"b": "b"}, "there is no b in the archive"),
        (archive({"a": b"0" * 1_000_000}), {"a": "a"}, "unpacks to more than 30 times its size; refused"),
        (archive({"../a": b"x"}), {"../a": "../a"}, "../a is not a name inside the folder"),
        (archive({"a": b"x" * 99})[:-30], {"a": "a"}, "the archive is damaged"),
        (archive({"a": bytes(range(99))}).replace(b"ac`db", b"ac`dc"), {"a": "a"}, "the archive is damaged"),
    ],
    ids=["missing", "bomb", "outside", "cut", "changed"],
)
def test_archives_that_are_not_trusted(
    home: Path, server: FileServer, data: bytes, members: dict[str, str], message: str
) -> None:
    server.files[f"/{HOST}/odd.zip"] = data
    file = PinnedFile(f"https://{HOST}/odd.zip", len(data), hashlib.sha256(data).hexdigest(), tuple(members.items()))
    with pytest.raises(UserError, match=message):
        fetch(entry("odd", "qa", file))
    assert names(home) == {"odd.lock", "odd.download"}  # what is in the list is kept, to be looked at
    assert names(home / "odd.download") == {"odd.zip"}


def test_parts_are_joined(home: Path) -> None:
    folder = fetch(PARTS)
    assert names(folder) == {"train.json", "dev.json", "source.json"}
    task = get_task("qa")
    assert [question.id for question in task.read(task.find_file(folder, "train"))] == ["Ada", "Bo", "Cy"]
    assert json.loads((folder / "dev.json").read_text())["version"] == "0.1"


def test_parts_in_another_format(home: Path, server: FileServer) -> None:
    page = b"<html>Please log in</html>"
    server.files[f"/{HOST}/v1/page.json"] = page
    file = PinnedFile(f"https://{HOST}/v1/page.json", len(page), hashlib.sha256(page).hexdigest(), into="train.json")
    with pytest.raises(UserError, match="page.json is not JSON in the format of SQuAD; what was fetched is in "):
        fetch(entry("page", "qa", file))


def test_pairs_of_mrpc(home: Path) -> None:
    folder = fetch(MRPC)
    assert (folder / "dev.tsv").read_bytes() == (PAIRS + "0\t3\t4\tc\td\r\n").encode()
    task = get_task("glue").with_options(TaskOptions(glue_task="mrpc"))
    examples = task.read(task.find_file(folder, "train"))
    assert [(example.texts, example.label) for example in examples] == [
        (("a", "b"), "equivalent"),
        (("e", "f"), "equivalent"),
    ]


def test_ids_that_are_not_there(home: Path, server: FileServer) -> None:
    data = b"3\t4\n7\t8\n"
    server.files[f"/{HOST}/v1/ids.tsv"] = data
    ids = PinnedFile(f"https://{HOST}/v1/ids.tsv", len(data), hashlib.sha256(data).hexdigest())
    with pytest.raises(UserError, match="ids.tsv: 2 pairs of ids, but 1 of them are in pairs.txt"):
        fetch(entry("mrpc", "glue", pinned("pairs.txt"), ids, split=MRPC.split))


def test_the_real_list_with_real_files(shared_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """UD_Tamil-TTB over HTTP, compared with what was pinned, to sentences."""
    tamil = get_entry("ud-tamil-ttb")
    state = FileServer()
    for file in tamil.files:
        path = shared_dir / "data/ud/UD_Tamil-TTB" / file.name
        data = path.read_bytes() if path.exists() else lzma.decompress(path.with_name(f"{path.name}.xz").read_bytes())
        state.files[file.url.removeprefix("https:/")] = data
    with serve(state):
        folder = fetch(tamil, base_url=state.url, home=tmp_path)
    task = get_task("parsing")
    assert [len(task.read(task.find_file(folder, split))) for split in ("train", "dev", "test")] == [400, 80, 120]
