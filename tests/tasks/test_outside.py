"""Tasks that are not part of the package: files and modules."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixel_lm.errors import UserError
from pixel_lm.tasks import get_task, is_outside
from pixel_lm.tasks.pos import PosTask
from pixel_lm.tasks.task import TaskOptions

SOURCE = """
from dataclasses import dataclass
from pixel_lm.tasks.pos import PosTask

@dataclass
class Note:  # dataclasses look their module up
    text: str = "x"

class MyTask(PosTask):
    name = "mine"

TASK = MyTask()
"""


def test_file(tmp_path: Path) -> None:
    path = tmp_path / "my_task.py"
    path.write_text(SOURCE)
    task = get_task(str(path))
    assert isinstance(task, PosTask) and task.name == "mine"
    assert task.with_options(TaskOptions(language="x")).options.language == "x"


def test_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_own_package").mkdir()
    (tmp_path / "my_own_package" / "tagging.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    assert get_task("my_own_package.tagging").name == "mine"


def test_mistakes(tmp_path: Path) -> None:
    (tmp_path / "empty.py").touch()
    for name, message in (
        (str(tmp_path / "empty.py"), "empty.py: there is no TASK in it"),
        (str(tmp_path / "none.py"), "none.py: no such file"),
        ("no_such_package.task", "no module no_such_package; is its package installed"),
        ("chess", "unknown task 'chess': choose pos or .* a .py file"),
    ):
        with pytest.raises(UserError, match=message):
            get_task(name)
    assert is_outside("x.py") and is_outside("a.b") and not is_outside("pos") and not is_outside("chess")
