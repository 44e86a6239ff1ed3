"""From scores of single arcs to the head of each word of a sentence.

Scores are matrices (n, n + 1): row i for word i + 1, column h for the head h, 0 for the root. `greedy_heads` takes the best head of
each word, as published scores of PIXEL do; the result need not be a tree. `tree_heads` finds the best tree: the maximum spanning
arborescence, by the algorithm of Chu and Liu (1965) and Edmonds (1967), with exactly one word at the root, as Universal
Dependencies has it and the CoNLL 2018 evaluation asks for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def greedy_heads(scores: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The best head of each word by itself, whatever comes out; ties go to the lower number.

    Args:
        scores: float (n, n + 1).

    Returns:
        int64 (n,), 0 for the root. A word may be its own head if its score says so.

    Raises:
        ValueError: another shape, or scores that are not numbers.
    """
    matrix = _checked(scores)
    heads: npt.NDArray[np.int64] = matrix.argmax(axis=1).astype(np.int64)
    return heads


def tree_heads(scores: npt.ArrayLike, *, single_root: bool = True) -> npt.NDArray[np.int64]:
    """The heads that form the tree with the highest sum of scores.

    Args:
        scores: float (n, n + 1); the score of a word as its own head is not looked at. Minus infinity for arcs that must not be
            used: they are used only where there is no tree without them.
        single_root: exactly one word has head 0; otherwise at least one.

    Returns:
        int64 (n,). Time grows at most with n³; where the greedy heads are a tree, which is the case of nearly all sentences of a
        trained parser, with n².

    Raises:
        ValueError: another shape, or scores that are NaN or plus infinity.
    """
    matrix = _checked(scores)
    num_words = len(matrix)
    if not num_words:
        return np.zeros(0, np.int64)
    finite = matrix[np.isfinite(matrix)]
    # More than any two trees can differ by.
    step = (float(finite.max() - finite.min()) + 1.0) * (num_words + 1) if finite.size else 1.0
    low = float(finite.min()) if finite.size else 0.0
    square = np.full((num_words + 1, num_words + 1), -np.inf)  # row: dependent, column: head, 0 the root
    square[1:] = np.where(np.isfinite(matrix), matrix, low - step * (num_words + 1))
    np.fill_diagonal(square, -np.inf)
    heads = _arborescence(square)[1:]
    if single_root and (heads == 0).sum() > 1:
        # Each arc from the root costs more than all else can gain, so that the best tree has as few as possible: one.
        square[1:, 0] -= step * (num_words + 1) ** 2 if not np.isfinite(matrix).all() else step
        heads = _arborescence(square)[1:]
    return heads


def is_tree(heads: Sequence[int] | npt.NDArray[np.int64], *, single_root: bool = True) -> bool:
    """Whether every word leads to the root, without cycles; and, on request, only one of them directly.

    Args:
        heads: one per word, 0 for the root.
        single_root: exactly one head is 0.
    """
    with_root = np.concatenate([[0], np.asarray(heads, np.int64)])
    if with_root.min() < 0 or with_root.max() >= len(with_root):
        return False
    if single_root and (with_root[1:] == 0).sum() != 1:
        return False
    return _find_cycle(with_root) is None


def _checked(scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    matrix = np.asarray(scores, np.float64)
    if matrix.ndim != 2 or matrix.shape[1] != matrix.shape[0] + 1:
        raise ValueError(f"scores of arcs have the shape (n, n + 1), not {matrix.shape}")
    if np.isnan(matrix).any() or np.isposinf(matrix).any():
        raise ValueError("scores of arcs must be numbers or minus infinity")
    return matrix


def _arborescence(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Best head of each node, the root (node 0) its own: (m,) for scores (m, m) with minus infinity on the diagonal."""
    contractions = []
    while True:
        heads = scores.argmax(axis=1)
        heads[0] = 0
        cycle = _find_cycle(heads)
        if cycle is None:
            break
        # The cycle becomes one node, the last. An arc that enters it replaces one arc of the cycle.
        inside = np.zeros(len(scores), bool)
        inside[cycle] = True
        outside = np.flatnonzero(~inside)
        entering = scores[np.ix_(cycle, outside)] - scores[cycle, heads[cycle]][:, None]  # (cycle, outside)
        leaving = scores[np.ix_(outside, cycle)]  # (outside, cycle)
        entry, exit_ = entering.argmax(axis=0), leaving.argmax(axis=1)
        smaller = np.full((len(outside) + 1, len(outside) + 1), -np.inf)
        smaller[:-1, :-1] = scores[np.ix_(outside, outside)]
        smaller[-1, :-1] = entering.max(axis=0)
        smaller[:-1, -1] = leaving.max(axis=1)
        smaller[0] = -np.inf
        contractions.append((heads, cycle, outside, entry, exit_))
        scores = smaller
    for previous, cycle, outside, entry, exit_ in reversed(contractions):
        node = len(outside)
        expanded = previous.copy()  # arcs of the cycle, of which one is replaced
        for position, index in enumerate(outside):
            head = heads[position]
            expanded[index] = cycle[exit_[position]] if head == node else outside[head]
        entrance = heads[node]
        expanded[cycle[entry[entrance]]] = outside[entrance]
        expanded[0] = 0
        heads = expanded
    return heads.astype(np.int64)


def _find_cycle(heads: npt.NDArray[np.int64]) -> npt.NDArray[np.int64] | None:
    """Nodes of a cycle, or None: for heads (m,) in which the root, node 0, is its own head."""
    state = np.zeros(len(heads), np.int64)  # 0: not seen; otherwise the walk in which it was seen
    state[0] = -1
    for start in range(1, len(heads)):
        node = start
        while state[node] == 0:
            state[node] = start
            node = int(heads[node])
        if state[node] == start:
            cycle = [node]
            while heads[cycle[-1]] != node:
                cycle.append(int(heads[cycle[-1]]))
            return np.array(cycle)
    return None
