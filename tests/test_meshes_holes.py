"""Rims of holes, and the triangles that span them, against all there are."""

import numpy as np
import pytest

import meshes
from meshes.repairing.draft import Draft
from meshes.repairing.holes import boundary_loops, filled


def test_the_rim_of_a_hole_runs_as_the_missing_triangles_did():
    whole = meshes.icosphere(2, radius=10.0)
    at = int(whole.vertices[:, 2].argmax())
    around = (whole.triangles == at).any(axis=1)
    loops = boundary_loops(whole.triangles[~around], len(whole.vertices))
    assert len(loops) == 1
    expected = {tuple(np.roll(t, -k)[:2]) for t in whole.triangles[around] for k in range(3) if np.roll(t, -k)[2] == at}
    assert {(a, b) for a, b in zip(loops[0], np.roll(loops[0], -1), strict=True)} == expected


def test_a_hole_is_spanned_by_the_least_area():
    """Against all triangulations of a bent hexagon, fourteen."""
    rng = np.random.default_rng(5)
    angle = np.arange(6) * np.pi / 3.0
    rim = np.column_stack([10 * np.cos(angle), 10 * np.sin(angle), rng.uniform(-4, 4, 6)])
    far = np.vstack([rim, [[0, 0, -30.0]]])
    cone = [[6, (k + 1) % 6, k] for k in range(6)]
    draft, left = filled(Draft.of(meshes.Surface(far, cone, "cone")), longest=10)
    assert left == 0
    assert draft.surface.is_closed

    def triangulations(points):
        if len(points) < 3:
            return [[]]
        found = []
        for k in range(1, len(points) - 1):
            for one in triangulations(points[: k + 1]):
                for other in triangulations(points[k:]):
                    found.append([*one, (points[0], points[k], points[-1]), *other])
        return found

    def area(triangles):
        a, b, c = (rim[[t[k] for t in triangles]] for k in range(3))
        return 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()

    every = triangulations(list(range(6)))
    assert len(every) == 14
    got = draft.surface.areas[6:].sum()
    assert got == pytest.approx(min(area(one) for one in every), rel=1e-12)
