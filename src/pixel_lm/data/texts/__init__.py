"""Running text that is at hand without a download: texts written for this project, and the documentation that Python
carries.

* `project_texts` reads the `.txt` files beside this module, one per language.
* `python_documentation_text` gives the prose of the language reference that `help()` shows (English, about 200 kB).
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from types import ModuleType

from pixel_lm.errors import UserError

DOCUMENTED_MODULES = """
abc argparse ast asyncio base64 bisect calendar cmd codecs collections concurrent.futures configparser contextlib
copy csv ctypes datetime decimal difflib doctest email email.message enum fileinput fractions ftplib functools
gettext glob gzip heapq html.parser http.client http.cookiejar imaplib inspect io ipaddress itertools json
json.decoder logging logging.handlers mailbox multiprocessing optparse os os.path pathlib pdb pickle pickletools
platform poplib pprint queue random re sched selectors shelve shlex shutil smtplib socket socketserver sqlite3 ssl
statistics string subprocess sysconfig tarfile tempfile textwrap threading timeit tokenize trace traceback turtle
types typing unittest unittest.mock urllib.request uuid warnings weakref xml.dom.minidom xml.etree.ElementTree
xmlrpc.client zipfile
"""
_MARKUP = re.compile(r"\*\*(\S(?:.*?\S)?)\*\*|(?<!\w)\*(\w(?:[^*]*\w)?)\*(?!\w)|``(.+?)``")
_NOT_PROSE = ("::=", ">>>", "...  ", "+--", "+==", "====", "----", "****", " | ")


def languages() -> list[str]:
    """ISO 639-1 codes of the texts that `project_texts` can give."""
    folder = resources.files(__name__)
    return sorted(entry.name.removesuffix(".txt") for entry in folder.iterdir() if entry.name.endswith(".txt"))


def project_texts(codes: Sequence[str] | None = None) -> dict[str, list[str]]:
    """The texts written for this project.

    Args:
        codes: languages by ISO 639-1 code; all of them by default.

    Returns:
        For each language its documents, one string each.

    Raises:
        UserError: for a language that is not there.
    """
    there = languages()
    texts = {}
    for code in there if codes is None else codes:
        if code not in there:
            raise UserError(f"no text in language {code!r}; there are {', '.join(there)}")
        content = resources.files(__name__).joinpath(f"{code}.txt").read_text(encoding="utf-8")
        texts[code] = [document.strip() for document in content.split("\n\n") if document.strip()]
    return texts


def python_documentation_text() -> list[str]:
    """Paragraphs of prose from the documentation that comes with Python.

    They are taken from `pydoc_data.topics`, without code, grammar and tables. Some distributions put that module into a
    package of its own; where it is missing, the docstrings of the standard library are taken instead.

    Returns:
        Paragraphs on one line each, none twice, in the order in which they stand.

    Raises:
        UserError: if the installation has neither (docstrings are gone under `python -OO`).
    """
    try:
        topics: Mapping[str, str] = importlib.import_module("pydoc_data.topics").topics
    except ImportError:
        paragraphs = _prose(_docstrings())
        if not paragraphs:
            raise UserError(
                "this Python has neither the module pydoc_data.topics nor docstrings; "
                "install the full standard library or give a text of your own"
            ) from None
        return paragraphs
    return _prose(topics.values())


def _prose(texts: Iterable[str]) -> list[str]:
    """Paragraphs of `texts` that read as sentences, unwrapped, without markup and repetition."""
    kept: dict[str, None] = {}
    for text in texts:
        for block in re.split(r"\n\s*\n", text):
            if any(sign in block for sign in _NOT_PROSE):
                continue
            paragraph = " ".join(block.split())
            paragraph = re.sub(r"^(?:[*-]|\d+\.) ", "", paragraph)
            paragraph = _MARKUP.sub(lambda match: next(group for group in match.groups() if group), paragraph)
            paragraph = paragraph.replace("\"'", "'").replace("'\"", "'")
            letters = sum(character.isalpha() or character == " " for character in paragraph)
            if len(paragraph.split()) >= 8 and paragraph[-1] in ".:!?)" and letters >= 0.85 * len(paragraph):
                kept[paragraph] = None
    return list(kept)


def _docstrings() -> Iterator[str]:
    """Docstrings of the modules in `DOCUMENTED_MODULES` and of what is public in them."""
    for name in DOCUMENTED_MODULES.split():
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        for owner in (module, *_public(module)):
            members = [owner, *(_public(owner) if inspect.isclass(owner) else ())]
            for member in members:
                text = getattr(member, "__doc__", None)
                if isinstance(text, str):
                    yield inspect.cleandoc(text)


def _public(owner: ModuleType | type) -> Iterator[object]:
    for name, value in sorted(vars(owner).items()):
        if not name.startswith("_") and (inspect.isclass(value) or inspect.isroutine(value)):
            yield value
