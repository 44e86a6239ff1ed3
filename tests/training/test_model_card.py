"""The card in a model's folder, and sending the folder to the hub: a small server on this machine stands for it."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from pixel_lm.errors import UserError
from pixel_lm.training import PretrainArguments, run_pretraining
from pixel_lm.training.hub import check_access
from pixel_lm.training.model_card import CARD, MARK, shown_source


@pytest.fixture
def arguments(tmp_path: Path, text_file: Path, tiny_pretraining: dict[str, Any]) -> Callable[..., PretrainArguments]:
    def make(**changes: Any) -> PretrainArguments:
        settings = tiny_pretraining | {
            "text": (str(text_file),), "output_dir": str(tmp_path / "run"), "steps": 2, "validation_size": 3.0
        }  # fmt: skip
        return PretrainArguments(**settings | changes)

    return make


def test_card(arguments: Callable[..., PretrainArguments], text_file: Path, tmp_path: Path) -> None:
    results = run_pretraining(arguments())
    card = (tmp_path / "run" / CARD).read_text(encoding="utf-8")
    _, head, body = card.split("---\n", 2)
    assert yaml.safe_load(head)["library_name"] == "transformers" and "license: fill in" in head
    assert f"{results['train_loss']:.4f}" in body and f"{results['eval_loss']:.4f} on 3 strips" in body
    assert f"`{text_file.name}`" in body and str(text_file.parent) not in card and str(tmp_path) not in card
    assert "2 of 4 strips of up to 24 patches" in body and body.count("**To be filled in**") == 2
    (settings,) = re.findall(r"```yaml\n(.*?)```", body, re.DOTALL)
    assert yaml.safe_load(settings)["hidden_size"] == 32 and "output_dir" not in settings
    (example,) = re.findall(r"```python\n(.*?)```", body, re.DOTALL)
    shown = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True)
    assert re.search(r"torch\.Size\(\[1, \d+, 17\]\)", shown.stdout), shown.stderr


def test_a_card_that_somebody_took_over_stays(arguments: Callable[..., PretrainArguments], tmp_path: Path) -> None:
    run_pretraining(arguments())
    card = tmp_path / "run" / CARD
    ours = card.read_text(encoding="utf-8")
    run_pretraining(arguments(overwrite=True, seed=3))
    assert card.read_text(encoding="utf-8") != ours and MARK in card.read_text(encoding="utf-8")
    card.write_text("my words", encoding="utf-8")
    run_pretraining(arguments(overwrite=True))
    assert card.read_text(encoding="utf-8") == "my words"


def test_local_paths_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert shown_source(str(tmp_path / "a")) == "a"
    assert shown_source(f"prerendered:{tmp_path / 'a'}") == "prerendered:a"
    for name in ("wikimedia/wikipedia:20231101.en", "s3://bucket/shards/*.parquet"):
        assert shown_source(name) == name


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as creating a repository and one commit need."""

    files: dict[str, bytes]
    requests: list[tuple[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path = self.path.partition("?")[0]
        assert self.headers["Authorization"] == "Bearer hf_test"
        if path == "/api/repos/create":
            self.requests.append((path, json.loads(body)))
            self.answer({"url": "https://huggingface.co/me/tiny", "name": "me/tiny", "id": "1"})
        elif path == "/api/models/me/tiny/preupload/main":
            names = [file["path"] for file in json.loads(body)["files"]]
            files = [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]
            self.answer({"files": files})
        elif path == "/api/models/me/tiny/commit/main":
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self.answer({"commitUrl": "https://huggingface.co/me/tiny/commit/1", "commitOid": "1", "success": True})
        else:
            self.answer({})

    def do_GET(self) -> None:
        self.answer({"id": "me/tiny", "sha": "0" * 40, "siblings": []})

    def answer(self, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[tuple[str, type[Hub]]]:
    handler = type("Handler", (Hub,), {"files": {}, "requests": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", handler
    server.shutdown()
    server.server_close()


def test_sent_to_the_hub(
    hub: tuple[str, type[Hub]], tmp_path: Path, text_file: Path, tiny_pretraining: dict[str, Any]
) -> None:
    address, server = hub
    run = tmp_path / "run"
    words = [sys.executable, *f"-m pixel_lm pretrain --text {text_file} --output-dir {run} --steps 2".split()]
    for name, value in tiny_pretraining.items():
        words += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    environment = os.environ | {
        "HF_ENDPOINT": address,
        "HF_TOKEN": "hf_test",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "0",
    }
    for times in (1, 2):  # trained and sent; sent again without training
        result = subprocess.run([*words, "--push-to-hub", "me/tiny"], capture_output=True, text=True, env=environment)
        assert result.returncode == 0, result.stderr[-3000:]
        assert "sent to http" in result.stdout and len(server.requests) == times
        asked = server.requests[0][1]
        assert asked.get("private") is True or asked.get("visibility") == "private"
        assert {"model.safetensors", "config.json", "text_renderer_config.json", CARD, "all_results.json"} <= set(
            server.files
        )
        assert server.files["model.safetensors"] == (run / "model.safetensors").read_bytes()
        assert not [name for name in server.files if name.startswith("checkpoint") or name == "arguments.yaml"]
        assert b"# me/tiny\n" in server.files[CARD]


def test_without_a_token_nothing_is_trained(
    arguments: Callable[..., PretrainArguments], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(UserError, match="needs a token for the Hugging Face hub: run `hf auth login`"):
        run_pretraining(arguments(push_to_hub="me/tiny"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["me/tiny", "no such/name!"])
def test_access_is_tried_first(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at this address; the second name is not one."""
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=f"push-to-hub {re.escape(name)}: ") as error:
        check_access(name)
    assert "\n" not in str(error.value)
