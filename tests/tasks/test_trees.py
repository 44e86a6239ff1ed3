"""Tree decoding against networkx and against all trees there are."""

from __future__ import annotations

import itertools
import time

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pixel_lm.tasks.trees import greedy_heads, is_tree, tree_heads


def matrices(largest: int, values: st.SearchStrategy[float]) -> st.SearchStrategy[np.ndarray]:
    return st.integers(1, largest).flatmap(lambda n: arrays(np.float64, (n, n + 1), elements=values))


def total(scores: np.ndarray, heads: np.ndarray) -> float:
    return float(scores[np.arange(len(heads)), heads].sum())


def best_of_all(scores: np.ndarray, single_root: bool) -> float:
    n = len(scores)
    everything = (np.array(heads) for heads in itertools.product(range(n + 1), repeat=n))
    return max(total(scores, heads) for heads in everything if is_tree(heads, single_root=single_root))


@given(matrices(5, st.integers(-3, 3).map(float)), st.booleans())
def test_no_tree_is_better(scores: np.ndarray, single_root: bool) -> None:
    heads = tree_heads(scores, single_root=single_root)
    assert is_tree(heads, single_root=single_root)
    assert total(scores, heads) == best_of_all(scores, single_root)


@given(matrices(12, st.floats(-50, 50, width=32)))
def test_as_good_as_the_arborescence_of_networkx(scores: np.ndarray) -> None:
    graph = networkx.DiGraph()
    for (dependent, head), score in np.ndenumerate(scores):
        if head != dependent + 1:
            graph.add_edge(head, dependent + 1, weight=score)
    tree = networkx.maximum_spanning_arborescence(graph)
    reference = sum(scores[dependent - 1, head] for head, dependent in tree.edges)
    heads = tree_heads(scores, single_root=False)
    assert is_tree(heads, single_root=False)
    assert total(scores, heads) == pytest.approx(reference, abs=1e-9)


def test_greedy_heads_that_are_a_tree_are_kept() -> None:
    gold = np.array([2, 0, 4, 2])
    scores = np.zeros((4, 5))
    scores[np.arange(4), gold] = 1.0
    assert greedy_heads(scores).tolist() == tree_heads(scores).tolist() == gold.tolist()


def test_cycles_and_second_roots_are_resolved() -> None:
    # Words 1 and 2 are each other's best head; word 3 stands at the root.
    scores = np.array([[1.0, 0, 9, 2], [0, 9, 0, 3], [5, 0, 0, 0]])
    assert greedy_heads(scores).tolist() == [2, 1, 0]
    assert tree_heads(scores).tolist() == [2, 3, 0]
    both_at_the_root = np.array([[9.0, 0, 1], [9, 2, 0]])
    assert tree_heads(both_at_the_root).tolist() == [0, 1]
    assert tree_heads(both_at_the_root, single_root=False).tolist() == [0, 0]


def test_forbidden_arcs() -> None:
    inf = np.inf
    scores = np.array([[-inf, -inf, 0.0], [-5.0, 9.0, -inf]])
    assert tree_heads(scores).tolist() == [2, 0]
    assert is_tree(tree_heads(np.full((3, 4), -inf)))
    only_roots = np.array([[0.0, -inf, -inf], [0.0, -inf, -inf]])
    assert is_tree(tree_heads(only_roots)), "one root even if this needs a forbidden arc"


def test_small_sentences_and_wrong_arguments() -> None:
    assert tree_heads(np.zeros((0, 1))).tolist() == []
    assert tree_heads([[3.0, 8.0]]).tolist() == [0]
    with pytest.raises(ValueError, match=r"shape \(n, n \+ 1\), not \(2, 2\)"):
        tree_heads(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="must be numbers"):
        greedy_heads([[np.nan, 0.0]])


def test_trees() -> None:
    assert is_tree([0, 1, 1]) and is_tree([2, 0])
    assert not is_tree([2, 1]) and not is_tree([1]), "cycles"
    assert not is_tree([0, 0]) and is_tree([0, 0], single_root=False)
    assert not is_tree([0, 5]) and not is_tree([0, -100])


def test_long_sentences_take_little_time() -> None:
    scores = np.random.default_rng(0).normal(size=(200, 201))
    start = time.perf_counter()
    assert is_tree(tree_heads(scores))
    assert time.perf_counter() - start < 5
