"""Attachment scores by hand, and the CoNLL 2018 evaluation against the scorer of Universal Dependencies."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pixel_lm.data.conllu import Sentence, find_treebank_file, parse_conllu, read_conllu
from pixel_lm.data.dependencies import RELATIONS
from pixel_lm.errors import UserError
from pixel_lm.tasks.metrics.parsing import attachment_scores, conll18_scores, is_punctuation
from pixel_lm.tasks.trees import is_tree, tree_heads


def parse(text: str, source: str = "a.conllu") -> list[Sentence]:
    return parse_conllu(enumerate(text.splitlines(keepends=True), start=1), source)


def random_treebank(rng: random.Random, sentences: int) -> str:
    """Random trees over words, some of them inside multiword tokens, with empty nodes and subtypes."""
    blocks = []
    for _ in range(sentences):
        n = rng.randint(1, 12)
        scores = np.random.default_rng(rng.getrandbits(32)).normal(size=(n, n + 1))
        heads = tree_heads(scores)
        lines, i = [], 0
        while i < n:
            if n - i >= 2 and rng.random() < 0.3:
                lines.append(f"{i + 1}-{i + 2}\tmw{rng.randint(0, 9)}" + "\t_" * 8)
                size = 2
            else:
                size = 1
            for _ in range(size):
                relation = "root" if heads[i] == 0 else rng.choice([r for r in RELATIONS[1:] if r != "root"])
                subtype = ":sub" if relation != "root" and rng.random() < 0.3 else ""
                form = rng.choice(["a", "b", "_", "c d", "."])
                tag = rng.choice(["NOUN", "VERB", "PUNCT"])
                lines.append(f"{i + 1}\t{form}\t_\t{tag}\t_\t_\t{heads[i]}\t{relation}{subtype}\t_\t_")
                i += 1
            if rng.random() < 0.1:
                lines.append(f"{i}.1\tempty" + "\t_" * 8)
        blocks.append("\n".join(lines) + "\n\n")
    return "".join(blocks)


def disturb(rng: random.Random, sentences: list[Sentence]) -> str:
    """Other trees, relations and tags for some of the sentences and words."""
    written = []
    for sentence in sentences:
        n = len(sentence.words)
        heads = [word.head or 0 for word in sentence.words]
        for _ in range(3):
            other = list(heads)
            other[rng.randrange(n)] = rng.randrange(n + 1)
            heads = other if is_tree(other) else heads
        relations = [
            word.deprel if rng.random() < 0.7 else rng.choice(["nsubj", "nsubj:pass", "punct", "case", "nmod", "det"])
            for word in sentence.words
        ]
        relations = [
            "root" if head == 0 else "dep" if r == "root" else r for head, r in zip(heads, relations, strict=True)
        ]
        tags = [word.upos if rng.random() < 0.8 else "X" for word in sentence.words]
        written.append(sentence.to_conllu(head=heads, deprel=relations, upos=tags))
    return "".join(written)


def reference_scores(gold: Path, system: Path) -> dict[str, float]:
    """F1 of the scorer that Universal Dependencies publish, which continues that of the shared task."""
    start = "import sys; from udtools.cli import main_eval; sys.exit(main_eval())"
    command = [sys.executable, "-c", start, "--counts", str(gold), str(system)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [[cell.strip() for cell in line.split("|")] for line in output.splitlines() if line.count("|") == 4]
    assert rows[0][:4] == ["Metric", "Correct", "Gold", "Predicted"]
    counts = {name.lower(): [int(cell) for cell in cells[:3]] for name, *cells in rows[1:]}
    return {name: 2 * correct / max(1, ours + theirs) for name, (correct, ours, theirs) in counts.items()}


def assert_agreement(gold: str, system: str, folder: Path) -> None:
    for name, text in (("gold", gold), ("system", system)):
        (folder / f"{name}.conllu").write_text(text, encoding="utf-8", newline="")
    reference = reference_scores(folder / "gold.conllu", folder / "system.conllu")
    ours = conll18_scores(read_conllu(folder / "system.conllu"), read_conllu(folder / "gold.conllu"))
    assert 0.05 < ours["las"] < ours["uas"] < 1
    assert ours == pytest.approx({name: reference[name] for name in ours}, abs=1e-12)


def test_random_trees_score_as_in_the_published_scorer(tmp_path: Path) -> None:
    rng = random.Random(7)
    gold = random_treebank(rng, 300)
    assert_agreement(gold, disturb(rng, parse(gold)), tmp_path)


@pytest.mark.parametrize("treebank", ["UD_Tamil-TTB", "UD_Marathi-UFAL"])
def test_real_treebanks_score_as_in_the_published_scorer(shared_dir: Path, tmp_path: Path, treebank: str) -> None:
    gold = read_conllu(find_treebank_file(shared_dir / "data/ud" / treebank, "test"))
    rng = random.Random(11)
    assert_agreement("".join(sentence.to_conllu() for sentence in gold), disturb(rng, gold), tmp_path)


def test_attachment_scores() -> None:
    gold = np.array([[2, 0, 2, -100], [0, 1, -100, -100]])
    relations = np.array([[5, 1, 7, 0], [1, 3, 0, 0]])
    heads = np.array([[2, 0, 1, 9], [0, 1, 9, 9]])  # 4 of 5 right
    found = np.array([[5, 1, 7, 0], [1, 4, 0, 0]])  # of these, 3 relations
    punctuation = np.array([[False, False, True, True], [False, False, True, True]])
    assert attachment_scores(heads, found, gold, relations) == {"uas": 0.8, "las": 0.6}
    assert attachment_scores(heads, found, gold, relations, punctuation) == {
        "uas": 0.8, "las": 0.6, "uas_no_punctuation": 1.0, "las_no_punctuation": 0.75,
    }  # fmt: skip
    assert attachment_scores([], [], [], []) == {"uas": 0.0, "las": 0.0}
    assert attachment_scores([0, 1], ["root", "obj"], [0, 1], ["root", "iobj"])["las"] == 0.5
    with pytest.raises(ValueError, match="same shape"):
        attachment_scores([1], [1, 2], [1], [1])


def test_punctuation() -> None:
    assert all(map(is_punctuation, [".", "...", "?!", "。", "،", "_", "--", "«"]))
    assert not any(map(is_punctuation, ["$", "+", "a.", "", "5", ":)x"]))


TWO = "1\ta\t_\tX\t_\t_\t2\tdep\t_\t_\n2\tb\t_\tX\t_\t_\t0\troot\t_\t_\n\n"


@pytest.mark.parametrize(
    ("system", "complaint"),
    [
        (TWO + TWO, r"s\.conllu: 2 sentences, but the gold file has 1"),
        (TWO.replace("\tb\t", "\tc\t"), r"s\.conllu, line 2: the word is 'c', in g\.conllu, line 2, it is 'b'"),
        (
            "1\ta\t_\tX\t_\t_\t0\troot\t_\t_\n\n",
            r"s\.conllu, line 1: a sentence of 1 words, in g\.conllu, line 1, it has 2",
        ),
        (TWO.replace("0\troot", "1\tdep"), r"s\.conllu, line 1: 0 words with head 0"),
        (TWO.replace("2\tdep", "1\tdep"), r"s\.conllu, line 1: a cycle"),
        (TWO.replace("0\troot", "_\troot"), r"s\.conllu, line 2: the word has no head"),
    ],
)
def test_files_that_cannot_be_compared(system: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        conll18_scores(parse(system, "s.conllu"), parse(TWO, "g.conllu"))
