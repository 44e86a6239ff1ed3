"""Heads and relations of treebanks."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixel_lm.data.conllu import Sentence, find_treebank_file, parse_conllu, read_conllu
from pixel_lm.data.dependencies import RELATIONS, Arc, read_arcs
from pixel_lm.errors import UserError


def sentence(*rows: tuple[str, str, str]) -> Sentence:
    """From ID, HEAD and DEPREL of each line."""
    lines = [f"{token}\tx\t_\tX\t_\t_\t{head}\t{relation}\t_\t_\n" for token, head, relation in rows]
    return parse_conllu(enumerate(lines, start=1), "a.conllu")[0]


def test_subtypes_are_cut_or_kept() -> None:
    parsed = sentence(
        ("1-2", "_", "_"), ("1", "2", "nsubj:pass"), ("2", "0", "root"), ("2.1", "_", "_"), ("3", "2", "obl:a:b")
    )
    assert read_arcs(parsed) == [Arc(2, "nsubj"), Arc(0, "root"), Arc(2, "obl")]
    assert read_arcs(parsed, subtypes=True) == [Arc(2, "nsubj:pass"), Arc(0, "root"), Arc(2, "obl:a:b")]


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([("1", "_", "dep")], r"a\.conllu, line 1: HEAD is '_'"),
        ([("1", "0", "root"), ("2", "2", "dep")], r"line 2: HEAD is 2, the word itself"),
        ([("1", "0", "root"), ("2", "1", "dobj")], r"line 2: DEPREL is 'dobj', expected one of acl advcl .*version 1"),
        ([("1", "0", "root"), ("2", "0", "root")], r"line 1: 2 words have head 0"),
        ([("1", "2", "dep"), ("2", "1", "dep")], r"line 1: 0 words have head 0"),
    ],
)
def test_what_is_no_tree_is_refused(rows: list[tuple[str, str, str]], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        read_arcs(sentence(*rows))


def test_relations_are_numbered_as_in_published_models() -> None:
    assert len(RELATIONS) == 38
    assert RELATIONS.index("_") == 0 and list(RELATIONS[1:]) == sorted(RELATIONS[1:])


@pytest.mark.parametrize(
    "treebank", ["UD_English-EWT", "UD_Tamil-TTB", "UD_Coptic-Scriptorium", "UD_Korean-GSD", "UD_Marathi-UFAL"]
)
def test_real_treebanks(shared_dir: Path, treebank: str) -> None:
    for split in ("dev", "test"):
        sentences = read_conllu(find_treebank_file(shared_dir / "data/ud" / treebank, split))
        for parsed in sentences:
            assert len(read_arcs(parsed)) == len(parsed.words)


def test_treebanks_of_version_1_are_refused(shared_dir: Path) -> None:
    path = find_treebank_file(shared_dir / "data/ud/UD1_Hindi-HDTB-20151023", "dev")
    with pytest.raises(UserError, match=r"line \d+: DEPREL is '\w+'.*version 1"):
        for parsed in read_conllu(path):
            read_arcs(parsed)
