"""Dependency parsing: how many words have the right head, and the right relation to it.

Two kinds of scores, which differ more than one would think:

* `attachment_scores`: over arrays of head numbers and relations. Published scores of PIXEL are those of heads taken one by one,
  with punctuation, without subtypes of relations.
* `conll18_scores`: those of the CoNLL 2018 shared task for files with gold words, which compare whole trees: both sides must be
  trees with one root. Subtypes (`nmod:poss`) are cut; words inside multiword tokens count, the tokens and empty nodes do not.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pixel_lm.data.conllu import Sentence
from pixel_lm.data.dependencies import universal_relation
from pixel_lm.errors import UserError
from pixel_lm.tasks.metrics.tagging import IGNORED
from pixel_lm.tasks.trees import is_tree

FUNCTION_RELATIONS = frozenset({"aux", "case", "cc", "clf", "cop", "det", "mark"})
"""Relations of function words, which CLAS leaves out."""


def attachment_scores(
    heads: npt.ArrayLike,
    relations: npt.ArrayLike,
    gold_heads: npt.ArrayLike,
    gold_relations: npt.ArrayLike,
    punctuation: npt.ArrayLike | None = None,
) -> dict[str, float]:
    """Attachment scores over words, sentence by sentence or all in one row.

    Args:
        heads, gold_heads: int, any shape: number of the head in its sentence, 0 for the root. Words whose gold head is -100 do
            not count.
        relations, gold_relations: same shape: names, or indices, of relations. Subtypes count unless they were cut.
        punctuation: bool, same shape: words that are punctuation, see `is_punctuation`.

    Returns:
        `uas`: words with the right head / words. `las`: words with the right head and relation / words. With `punctuation` also
        `uas_no_punctuation` and `las_no_punctuation`, over the other words. All between 0 and 1; 0 where there is no word.

    Raises:
        ValueError: the shapes differ.
    """
    found, wanted = np.asarray(heads), np.asarray(gold_heads)
    labels, gold_labels = np.asarray(relations), np.asarray(gold_relations)
    if not found.shape == wanted.shape == labels.shape == gold_labels.shape:
        raise ValueError(
            f"heads {found.shape}, relations {labels.shape}, gold heads {wanted.shape} and gold relations {gold_labels.shape} "
            "must have the same shape"
        )
    counted = wanted != IGNORED
    attached = found == wanted
    labelled = attached & (labels == gold_labels)
    scores = {"uas": _part(attached, counted), "las": _part(labelled, counted)}
    if punctuation is not None:
        words = np.asarray(punctuation, bool)
        if words.shape != wanted.shape:
            raise ValueError(f"punctuation {words.shape} must have the shape of the heads, {wanted.shape}")
        scores["uas_no_punctuation"] = _part(attached, counted & ~words)
        scores["las_no_punctuation"] = _part(labelled, counted & ~words)
    return scores


def is_punctuation(form: str) -> bool:
    """Whether a word consists of punctuation only (Unicode categories P…), the rule of the CoNLL-X and 2007 shared tasks.

    Symbols such as `$` and `+` are not punctuation.
    """
    return bool(form) and all(unicodedata.category(char).startswith("P") for char in form)


def conll18_scores(system: Sequence[Sentence], gold: Sequence[Sentence]) -> dict[str, float]:
    """Scores of the CoNLL 2018 evaluation for a file with the same words as the gold file.

    With the same words precision, recall and F1 are one number, but for CLAS: which words count there is for each side to say.

    Args:
        system, gold: sentences, with heads and relations.

    Returns:
        F1, between 0 and 1: `upos`, `uas`, `las`, and `clas`, which is LAS without function words and punctuation. Of gold sentences
        without any heads only `upos`.

    Raises:
        UserError: the words are not the same, a word has no head or no relation, or a sentence is no tree with one root; the
            message names file and line.
    """
    if len(system) != len(gold):
        where = system[0].source if system else "the file"
        raise UserError(
            f"{where}: {len(system)} sentences, but the gold file has {len(gold)}; compare files of the same text"
        )
    has_heads = any(word.head is not None for sentence in gold for word in sentence.words)
    count = upos = uas = las = system_content = gold_content = clas = 0
    for ours, theirs in zip(system, gold, strict=True):
        _check_same_words(ours, theirs)
        for sentence in (ours, theirs) if has_heads else ():
            _check_tree(sentence)
        for word, gold_word in zip(ours.words, theirs.words, strict=True):
            relation, gold_relation = universal_relation(word.deprel), universal_relation(gold_word.deprel)
            attached = word.head == gold_word.head
            labelled = attached and relation == gold_relation
            count += 1
            upos += word.upos == gold_word.upos
            uas += attached
            las += labelled
            system_content += _is_content(relation)
            gold_content += _is_content(gold_relation)
            clas += labelled and _is_content(gold_relation)
    content = system_content + gold_content
    if not has_heads:
        return {"upos": upos / count if count else 0.0}
    return {
        "upos": upos / count if count else 0.0,
        "uas": uas / count if count else 0.0,
        "las": las / count if count else 0.0,
        "clas": 2 * clas / content if content else 0.0,
    }


def _part(right: npt.NDArray[np.bool_], counted: npt.NDArray[np.bool_]) -> float:
    total = int(counted.sum())
    return int((right & counted).sum()) / total if total else 0.0


def _is_content(relation: str) -> bool:
    return relation != "punct" and relation not in FUNCTION_RELATIONS


def _check_same_words(ours: Sentence, theirs: Sentence) -> None:
    forms, gold_forms = ours.forms, theirs.forms
    for word, gold_word in zip(ours.words, theirs.words, strict=False):
        if word.form != gold_word.form:
            raise UserError(
                f"{ours.source}, line {word.line}: the word is {word.form!r}, in {theirs.source}, line {gold_word.line}, it is "
                f"{gold_word.form!r}; the evaluation needs the same words in both"
            )
    if len(forms) != len(gold_forms):
        raise UserError(
            f"{ours.source}, line {ours.line}: a sentence of {len(forms)} words, in {theirs.source}, line {theirs.line}, it "
            f"has {len(gold_forms)}; the evaluation needs the same words in both"
        )


def _check_tree(sentence: Sentence) -> None:
    heads = []
    for word in sentence.words:
        if word.head is None or word.deprel == "_":
            missing = "head" if word.head is None else "relation"
            raise UserError(
                f"{sentence.source}, line {word.line}: the word has no {missing}; the evaluation needs all of them"
            )
        heads.append(word.head)
    if not is_tree(heads):
        roots = heads.count(0)
        why = "a cycle" if roots == 1 else f"{roots} words with head 0"
        raise UserError(
            f"{sentence.source}, line {sentence.line}: {why} in the sentence, but the evaluation compares trees with one root; "
            "predict with --decoding tree (in Python: pixel_lm.tasks.trees.tree_heads)"
        )
