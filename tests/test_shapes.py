"""Flexible coils: the shape is chosen together with the placement."""

import numpy as np
import pytest

import coils
import efield
import meshes
from coils.assembly import Assembly, Deformation, Dipoles, Element, Motion
from efield.targeting.shapes import best_shape


def hinged():
    """Two small wings of a few dipoles each, hinged between them, that bend towards the head or away from it."""
    turn = 2.0 * np.pi * np.arange(6) / 6
    ring = np.column_stack([30.0 + 18.0 * np.cos(turn), 18.0 * np.sin(turn), np.full(6, -5.0)])
    wings = []
    for side in (1.0, -1.0):
        motion = Motion("bend", "rotation", axis=[[0, 0, 0], [0, -side, 0]])
        moments = np.tile([0.0, 0.0, side * 1e-3], (6, 1))
        unit = meshes.icosphere(2)
        shell = meshes.Surface(unit.vertices * [20.0, 20.0, 5.0] + [30.0 * side, 0.0, -5.0], unit.triangles, "wing")
        wings.append(Element(Dipoles(ring * [side, 1.0, 1.0], moments), motions=(motion,), casing=shell))
    return Assembly(name="hinged", elements=wings, deformations=[Deformation("bend", range=(-20.0, 40.0))]).coil()


def test_golden_sections_find_the_peak_within_the_range():
    coil = hinged()
    asked = []

    def score(shaped):
        asked.append(shaped.assembly.settings["bend"])
        return -((asked[-1] - 13.0) ** 2)

    best = best_shape(coil, score, lambda *_: None)
    assert best.assembly.settings["bend"] == pytest.approx(13.0, abs=0.6)  # 1 % of the range
    assert min(asked) >= -20.0
    assert max(asked) <= 40.0
    at_the_end = best_shape(coil, lambda shaped: shaped.assembly.settings["bend"], lambda *_: None)
    assert at_the_end.assembly.settings["bend"] == 40.0


def test_the_shape_found_is_the_best_of_many_shapes():
    """Second route: a search for each of nine fixed shapes. Wings that bend around the head bring more field."""
    head = meshes.sphere_head([90.0, 80.0], [0.465, 0.3], subdivisions=2)
    solver = efield.BemSolver(head)
    target = efield.Target(position=(0.0, 0.0, 70.0), radius=12.0)
    common = dict(radius=6.0, spacing=6.0, angle_step=45.0, gap=0.2)
    result = efield.optimize(solver, hinged(), target, deform=True, **common)
    fixed = {
        bend: efield.optimize(solver, hinged().deform(bend=bend), target, **common).field_at_target
        for bend in (-20.0, 0.0, 20.0, 30.0, 40.0)
    }
    bend = result.coil.assembly.settings["bend"]
    assert result.field_at_target >= max(fixed.values()) * (1.0 - 5e-3)
    assert abs(bend - max(fixed, key=fixed.get)) <= 20.0
    assert result.settings["deformation_bend"] == bend
    assert result.as_dict()["search"]["deformation_bend"] == bend


def test_a_rigid_coil_is_told():
    head = meshes.sphere_head([90.0, 80.0], [0.465, 0.3], subdivisions=2)
    with pytest.raises(ValueError, match="coil must have deformations for deform=True; got magstim-70mm"):
        efield.optimize(
            efield.BemSolver(head), coils.load_coil("magstim-70mm"), efield.Target(position=(0, 0, 70)), deform=True
        )
