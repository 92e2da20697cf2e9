"""Translations between cells, and the lists of cells that need them, against the slow twins."""

import numpy as np
import pytest

from efield.bem.octree import STAYS, Lattice, Octree
from efield.kernels import octree, translations
from tests import reference
from tests.kernel_cases import SINGLE


@pytest.fixture
def tree():
    """Forty random points in cells of at most five: several generations, some cells with few children."""
    points = np.random.default_rng(5).normal(size=(40, 3))
    return Octree.build(points, Lattice.around(points), 5)


def test_leaves_to_cells_and_back(tree, rng):
    rows, q = rng.normal(size=(40, 8)).astype(np.float32), rng.normal(size=(2, 40)).astype(np.float32)
    cells = np.full((len(tree.level), 2, 8), np.nan, dtype=np.float32)
    translations.leaves_to_cells(cells, rows, tree.leaves, tree.start, tree.end, q)
    out = np.zeros((2, 40))
    local = np.nan_to_num(cells)
    translations.cells_to_leaves(out, rows, tree.leaves, tree.start, tree.end, local)
    for leaf in tree.leaves:
        part = slice(tree.start[leaf], tree.end[leaf])
        np.testing.assert_allclose(cells[leaf], q[:, part] @ rows[part], atol=10 * SINGLE)
        np.testing.assert_allclose(out[:, part], local[leaf] @ rows[part].T, atol=100 * SINGLE)
    inner = np.setdiff1d(np.arange(len(tree.level)), tree.leaves)
    assert np.isnan(cells[inner]).all(), "cells that are not leaves are left alone"


def test_children_to_parents_and_back(tree, rng):
    shift = rng.normal(size=(9, 8, 8)).astype(np.float32)
    before = rng.normal(size=(len(tree.level), 2, 8)).astype(np.float32)
    parents = np.flatnonzero(tree.children > 0).astype(np.int32)
    parents = np.array([p for p in parents if not (tree.children[tree.child[p] :][: tree.children[p]] > 0).any()])
    out = before.copy()
    translations.children_to_parents(out, parents, tree.child, tree.children, tree.octant, shift)
    expected = before.copy()
    for p in parents:
        children = range(tree.child[p], tree.child[p] + tree.children[p])
        expected[p] = sum(before[c] @ shift[tree.octant[c]] for c in children)
    np.testing.assert_allclose(out, expected, atol=50 * SINGLE)

    cells = tree.generations[1]
    out = before.copy()
    translations.parents_to_children(out, cells, tree.parent, tree.octant, shift)
    expected = before.copy()
    for c in cells:
        expected[c] += before[tree.parent[c]] @ shift[tree.octant[c]]
    np.testing.assert_allclose(out, expected, atol=50 * SINGLE)


def test_far_to_far(rng):
    counts = np.array([32, 9, 25], dtype=np.int32)
    matrices = rng.normal(size=(3, 32, 32)).astype(np.float32)
    for matrix, count in zip(matrices, counts, strict=True):
        matrix[count:] = 0.0
        matrix[:, count:] = 0.0
    source = rng.normal(size=(5, 2, 32)).astype(np.float32)
    before = rng.normal(size=(4, 2, 32)).astype(np.float32)
    # Tasks own their targets: 0 and 1, nothing, 2 and 3.
    task_first = np.array([0, 3, 3, 6])
    key = np.array([0, 1, 1, 2, 2, 0], dtype=np.int32)
    targets = np.array([0, 0, 1, 2, 3, 3], dtype=np.int32)
    sources = np.array([4, 1, 2, 0, 0, 3], dtype=np.int32)
    out = before.copy()
    translations.far_to_far(out, source, matrices, counts, task_first, key, targets, sources)
    expected = before.copy()
    for k, t, s in zip(key, targets, sources, strict=True):
        expected[t] += source[s] @ matrices[k]
    np.testing.assert_allclose(out, expected, atol=50 * SINGLE)


def lists(target, source):
    far_t, far_s, near_t, near_s = octree.interaction_lists(
        target.level, target.index, target.child, target.children, target.n_roots,
        source.level, source.index, source.child, source.children, source.n_roots,
    )  # fmt: skip
    assert len(set(zip(far_t, far_s, strict=True))) == len(far_t), "no far pair twice"
    assert len(set(zip(near_t, near_s, strict=True))) == len(near_t), "no near pair twice"
    return set(zip(far_t.tolist(), far_s.tolist(), strict=True)), set(
        zip(near_t.tolist(), near_s.tolist(), strict=True)
    )


def test_interaction_lists(tree, rng):
    """One tree with itself, and with another that reaches beyond its lattice and has large objects."""
    assert lists(tree, tree) == reference.interaction_lists(tree, tree)
    points = 1.5 * rng.normal(size=(80, 3))
    other = Octree.build(points, tree.lattice, 3, rng.choice([0.01, 0.8], 80, p=[0.9, 0.1]))
    assert other.n_roots > 1
    assert STAYS in other.octant
    assert lists(tree, other) == reference.interaction_lists(tree, other)
    assert lists(other, tree) == reference.interaction_lists(other, tree)
    assert all(len(part) > 100 for part in lists(tree, other)), "the case is not empty"
