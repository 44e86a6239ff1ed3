"""The command as a whole: help, messages, exit status."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pixel_lm.cli.main import ORDER, build_parser

Fails = Callable[..., str]
Command = Callable[..., int]
VERBS = sorted(build_parser()[1])


def test_verbs_are_found_and_named_in_the_help(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert {"pretrain", "finetune", "evaluate", "predict", "render"} <= set(VERBS)
    assert command() == 0
    out = capsys.readouterr().out
    assert all(f"\n    {verb} " in out for verb in VERBS)
    positions = [out.index(f"\n    {verb} ") for verb in ORDER if verb in VERBS]
    assert positions == sorted(positions)


@pytest.mark.parametrize("words", [["--help"], *([verb, "--help"] for verb in VERBS)])
def test_help_is_quick(words: list[str]) -> None:
    """No help may load torch, which takes seconds."""
    program = (
        "import sys\nfrom pixel_lm.cli.main import main\ntry:\n    main(sys.argv[1:])\nfinally:\n"
        "    sys.exit(bool({'torch', 'transformers', 'datasets', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage: pixel-lm" in done.stdout and done.stderr == ""


def test_options_of_training_are_explained_with_defaults(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["pretrain"], ["finetune"]):
        with pytest.raises(SystemExit) as stop:
            command(*words, "--help")
        assert stop.value.code == 0
        out = " ".join(capsys.readouterr().out.split())
        assert ("--warmup" in out and "(default: " in out and "masking:" in out) or words == ["finetune"]
        assert "gradients are scaled down to this norm when they exceed it (default: 1.0)" in out


def test_module_and_version() -> None:
    done = subprocess.run([sys.executable, "-m", "pixel_lm", "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("pixel-lm ")


def test_unknown_verb_and_options(fails: Fails) -> None:
    assert "invalid choice: 'pretrian'" in fails("pretrian")
    line = fails("pretrain", "--lerning-rate", "1")
    assert "unknown option --lerning-rate, did you mean " in line and "--base-learning-rate" in line
    assert line.endswith("(see `pixel-lm pretrain --help`)")
    assert "unknown option --xyzzy (see" in fails("predict", "pos", "a", "--model", "b", "--xyzzy=3")
    assert "too many arguments: spare" in fails("pretrain", "cpu-tiny", "spare")
    assert "argument --steps: invalid integer value: 'many'" in fails("pretrain", "--steps", "many")
    assert "argument --precision: invalid choice: 'fp8'" in fails("finetune", "pos", "--precision", "fp8")
    assert "the following arguments are required: --model" in fails("predict", "pos", "a.conllu")
    assert "argument TASK: invalid choice: 'chess'" in fails("finetune", "chess")
    assert "--batch-size: 0 is less than 1" in fails("predict", "pos", "a", "--model", "b", "--batch-size", "0")


def test_no_traceback_in_a_real_process(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pixel_lm", "pretrain", "--text", "nowhere.txt", "--output-dir", tmp_path / "out"],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "pixel-lm: error: nowhere.txt: no such file\n"
    assert not (tmp_path / "out").exists()


def test_defects_are_not_hidden(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no mistake of the user keeps its traceback."""
    monkeypatch.setattr("pixel_lm.training.recipes.resolve", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        command("pretrain", "--output-dir", "x")


def test_interrupted_training_says_how_to_go_on(tmp_path: Path, data: Path) -> None:
    words: list[str | Path] = [
        sys.executable, "-m", "pixel_lm", "pretrain", "cpu-tiny", "--text", data / "text.txt", "--output-dir", tmp_path,
        "--steps", "100000", "--save-steps", "1", "--batch-size", "2", "--base-learning-rate", "0.1", "--cpu",
    ]  # fmt: skip
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
        # Where the tests run in the background of a shell, interrupts are ignored and this is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("checkpoint-*")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    while True:  # as a person would: Python loses an interrupt that arrives inside a destructor, so press again
        process.send_signal(signal.SIGINT)
        try:
            _, err = process.communicate(timeout=15)
            break
        except subprocess.TimeoutExpired:
            assert time.monotonic() < deadline
    assert process.returncode == 130
    last = err.rstrip("\n").split("\n")[-1]
    assert last == "pixel-lm: interrupted; the same command again continues from the last checkpoint"
    assert "Traceback" not in err
