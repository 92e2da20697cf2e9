"""The octree: it loses and doubles nothing, whatever the points."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from efield.bem.octree import FITTING, MAX_LEVEL, STAYS, Lattice, Octree
from efield.bem.pairs import TASKS, degrees_for, pair_up


def cloud(seed, count, *, spread=1.0, shift=0.0, cluster=0.0):
    """Points that fill a box, part of them drawn together into a tiny cluster."""
    rng = np.random.default_rng(seed)
    points = spread * rng.uniform(-50.0, 50.0, (count, 3)) + shift
    near = rng.random(count) < cluster
    points[near] = points[0] + 1e-3 * rng.normal(size=(int(near.sum()), 3))
    return points


@st.composite
def clouds(draw):
    return cloud(
        draw(st.integers(0, 10**6)),
        draw(st.integers(1, 150)),
        spread=draw(st.sampled_from([0.0, 0.2, 1.0, 3.0])),
        shift=draw(st.sampled_from([0.0, 20.0, -130.0])),
        cluster=draw(st.sampled_from([0.0, 0.6])),
    )


def radii_for(seed, count):
    """A few objects much larger than the others, as where a coarse scalp meets a fine cortex."""
    return np.random.default_rng(seed).choice([0.1, 3.0, 20.0, 200.0], count, p=[0.7, 0.2, 0.08, 0.02])


LATTICE = Lattice(corner=np.full(3, -50.0), edge=100.0)

trees = st.builds(
    lambda points, leaf_size, seed: Octree.build(
        points, LATTICE, leaf_size, None if seed is None else radii_for(seed, len(points))
    ),
    clouds(),
    st.integers(1, 20),
    st.none() | st.integers(0, 10**6),
)


@settings(deadline=None, max_examples=100)
@given(trees)
def test_cells_nest_and_every_point_lies_in_one_leaf(tree):
    n = len(tree.order)
    np.testing.assert_array_equal(np.sort(tree.order), np.arange(n))
    held = np.zeros(n, dtype=int)
    for leaf in tree.leaves:
        held[tree.start[leaf] : tree.end[leaf]] += 1
        assert (tree.leaf_of_point[tree.start[leaf] : tree.end[leaf]] == leaf).all()
    assert (held == 1).all()
    assert (tree.end > tree.start).all(), "no empty cell"
    for cell in np.flatnonzero(tree.children > 0):
        own = np.arange(tree.child[cell], tree.child[cell] + tree.children[cell])
        assert (tree.parent[own] == cell).all()
        np.testing.assert_array_equal(tree.start[own], [tree.start[cell], *tree.end[own][:-1]])
        assert tree.end[own[-1]] == tree.end[cell]
        stays = tree.octant[own] == STAYS
        np.testing.assert_array_equal(tree.level[own], np.where(stays, tree.level[cell], tree.level[cell] + 1))
        bits = (tree.octant[own, None] >> np.arange(3)) & 1
        inside = np.where(stays[:, None], tree.index[cell], 2 * tree.index[cell] + bits)
        np.testing.assert_array_equal(tree.index[own], inside)
        assert len(np.unique(tree.octant[own])) == len(own)
        assert (tree.children[own[stays]] == 0).all(), "what stays is a leaf"
    roots = np.flatnonzero(tree.parent < 0)
    np.testing.assert_array_equal(roots, np.arange(tree.n_roots))
    assert len(np.unique(tree.index[roots], axis=0)) == tree.n_roots
    np.testing.assert_array_equal(np.concatenate(tree.generations), np.arange(len(tree.level)))


@settings(deadline=None, max_examples=100)
@given(clouds(), st.integers(1, 20), st.none() | st.integers(0, 10**6))
@example(np.zeros((30, 3)), 4, None)  # thirty points in one place
def test_boxes_hold_their_points(points, leaf_size, seed):
    radii = None if seed is None else radii_for(seed, len(points))
    tree = Octree.build(points, LATTICE, leaf_size, radii)
    low = tree.centres - tree.half_sizes[:, None]
    for cell in range(len(tree.level)):
        own = points[tree.order[tree.start[cell] : tree.end[cell]]]
        # Coordinates are rounded down on a grid of the finest cells; the box is exact to rounding (1e-12 of 100 mm).
        assert (own >= low[cell] - 1e-10).all()
        assert (own <= low[cell] + 2.0 * tree.half_sizes[cell] + 1e-10).all()
    leaves = tree.leaves
    count = tree.end[leaves] - tree.start[leaves]
    if radii is None:
        assert (tree.level[leaves[count > leaf_size]] == MAX_LEVEL).all(), "only the finest cells may be fuller"
    else:
        largest = np.array([radii[tree.order[tree.start[c] : tree.end[c]]].max() for c in range(len(tree.level))])
        deep = tree.level > 0  # level 0 takes whatever comes
        assert (FITTING * largest[deep] <= 2.0 * tree.half_sizes[deep] * (1.0 + 1e-12)).all()


def cover(target, source):
    """Count by how many far or near cell pairs each pair of a point and a source is handled."""
    far, near = pair_up(target, source, 2)
    count = np.zeros((len(target.order), len(source.order)), dtype=int)
    for targets, sources in ((far.targets, far.sources), (near.targets, near.sources)):
        for t, s in zip(targets, sources, strict=True):
            count[target.start[t] : target.end[t], source.start[s] : source.end[s]] += 1
    return count, far, near


@settings(deadline=None, max_examples=60)
@given(trees, trees)
@example(Octree.build(np.zeros((1, 3)), LATTICE, 1), Octree.build(np.full((1, 3), 1e4), LATTICE, 1))
def test_each_pair_of_points_is_covered_exactly_once(target, source):
    for one, other in ((target, source), (target, target)):
        count, far, near = cover(one, other)
        assert (count == 1).all()
        assert np.isin(near.targets, one.leaves).all()
        assert np.isin(near.sources, other.leaves).all()
        # Far cells: a gap of at least the larger one's edge.
        gap = np.abs(one.centres[far.targets] - other.centres[far.sources]).max(axis=1)
        edges = one.half_sizes[far.targets], other.half_sizes[far.sources]
        assert (gap - edges[0] - edges[1] >= 2.0 * np.maximum(*edges) * (1.0 - 1e-12)).all()


@settings(deadline=None, max_examples=60)
@given(trees, trees)
def test_pairs_are_grouped_by_their_owners(target, source):
    far, near = pair_up(target, source, 2)
    # A task owns its targets: no target in two tasks, also after transposition.
    for pairs in (far, far.transposed(len(source.level))):
        assert len(pairs.task_first) == TASKS + 1
        assert pairs.task_first[0] == 0
        assert pairs.task_first[-1] == len(pairs.targets)
        task = np.repeat(np.arange(TASKS), np.diff(pairs.task_first))
        assert len(np.unique(np.column_stack([pairs.targets, task]), axis=0)) == len(np.unique(pairs.targets))
    back = far.transposed(len(source.level))
    assert set(zip(back.sources, back.targets, strict=True)) == set(zip(far.targets, far.sources, strict=True))
    for tree, cells, first, order in (
        (target, near.targets, near.first_by_target, np.arange(len(near.targets))),
        (source, near.sources, near.first_by_source, near.order_by_source),
    ):
        assert sorted(order) == list(range(len(cells)))
        np.testing.assert_array_equal(cells[order], np.repeat(tree.leaves, np.diff(first)))
    sizes = (source.end - source.start)[near.sources]
    np.testing.assert_array_equal(near.column, np.cumsum(sizes) - sizes)
    np.testing.assert_array_equal(near.first_column, np.append(near.column, sizes.sum())[near.first_by_target])


def test_the_matrix_of_a_pair_belongs_to_its_geometry():
    """Far pairs that share a matrix have one offset and one pair of sizes, in units of the finer cell."""
    points = cloud(3, 400, cluster=0.3)
    tree = Octree.build(points, Lattice.around(points), 6, radii_for(4, 400))
    far, _ = pair_up(tree, tree, 3)
    finer = np.minimum(tree.half_sizes[far.targets], tree.half_sizes[far.sources])[:, None]
    geometry = np.column_stack(
        [
            (tree.centres[far.targets] - tree.centres[far.sources]) / finer,
            tree.half_sizes[far.targets][:, None] / finer,
            tree.half_sizes[far.sources][:, None] / finer,
        ]
    ).round(6)
    assert len(far.targets) > 1000
    for key in range(len(far.matrices)):
        assert len(np.unique(geometry[far.key == key], axis=0)) == 1
    assert len(np.unique(geometry, axis=0)) == len(far.matrices), "no matrix twice"


def test_farther_pairs_take_fewer_degrees():
    distance = np.array([4.0, 4.5, 6.0, 10.0, 100.0])
    degrees = degrees_for(distance, 12)
    assert degrees[0] == 12
    assert (np.diff(degrees) <= 0).all()
    assert degrees[-1] >= 2


def test_the_lattice_is_a_cube_that_holds_all_points():
    points = cloud(1, 50) * [1.0, 0.1, 0.01]
    lattice = Lattice.around(points)
    assert (points > lattice.corner).all()
    assert (points < lattice.corner + lattice.edge).all()
    assert lattice.edge == pytest.approx(np.ptp(points, axis=0).max(), rel=0.002)
