"""Bad input: one clear sentence each, and nothing half-written.

What has a test file of its own is tested there: heads, surfaces and conductivities in tests/test_meshes_*.py, coils in
tests/test_coils_*.py, placements in tests/test_placement.py, targets and searches in tests/test_targeting.py, files of
fields in tests/test_solver.py, the command line in tests/test_cli.py.
"""

import os
import re

import numpy as np
import pytest

import coils
import efield
import meshes

# "NAME must be WHAT; got VALUE." and perhaps how to mend it.
SENTENCE = re.compile(r"^\S[^\n]* must [^\n]+; got [^\n]+\.$")


@pytest.fixture(scope="module")
def coil():
    return coils.load_coil("magstim-70mm")


@pytest.fixture(scope="module")
def pose():
    return meshes.Pose.from_axes((0.0, 0.0, 100.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0))


def refuse(action, kind, words):
    """Run what must fail; the message is one sentence (and perhaps a second that helps) in the house's form."""
    with pytest.raises(kind) as caught:
        action()
    message = str(caught.value)
    assert re.search(words, message), message
    assert SENTENCE.match(message), message


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"head": "pycortex"}, TypeError, r"^head must be a meshes\.HeadModel; got str"),
        ({"head": None}, TypeError, r"^head must be a meshes\.HeadModel; got NoneType"),
        ({"tolerance": 0.0}, ValueError, r"^tolerance must be a positive number; got 0\.0"),
        ({"tolerance": np.nan}, ValueError, r"^tolerance must be a positive number; got nan"),
        ({"tolerance": 1.0}, ValueError, r"^tolerance must be less than 1, as it is relative; got 1"),
        ({"accuracy": -1e-4}, ValueError, r"^accuracy must be a positive number; got -0\.0001"),
        ({"accuracy": 5}, ValueError, r"^accuracy must be less than 1, as it is relative; got 5"),
        ({"accuracy": "high"}, ValueError, r"^accuracy must be a positive number; got 'high'"),
    ],
)
def test_a_solver_that_cannot_be(small_head, arguments, kind, words):
    arguments = {"head": small_head} | arguments
    head = arguments.pop("head")
    refuse(lambda: efield.BemSolver(head, **arguments), kind, words)


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"coil": "magstim-70mm"}, TypeError, r"^coil must be a coils\.Coil; got str"),
        ({"pose": np.eye(4)}, TypeError, r"^pose must be a meshes\.Pose; got ndarray"),
        ({"didt": np.nan}, ValueError, r"^didt must be a finite number; got nan"),
        ({"didt": np.inf}, ValueError, r"^didt must be a finite number; got inf"),
        ({"didt": "fast"}, ValueError, r"^didt must be a finite number; got 'fast'"),
        ({"didt": None}, ValueError, r"^didt must be a finite number; got None"),
        ({"points": [[0.0, 0.0, np.nan]]}, ValueError, r"^points must be finite; got 1 rows with NaN or infinity"),
        ({"points": [[0.0, 0.0]]}, ValueError, r"^points must be an array of shape \(n, 3\) or \(3,\); got shape"),
        ({"points": "cortex"}, ValueError, r"^points must be an array of real numbers; got 'cortex'"),
    ],
)
def test_a_solution_that_cannot_be(small_solver, coil, pose, arguments, kind, words):
    arguments = {"coil": coil, "pose": pose} | arguments
    refuse(lambda: small_solver.solve(arguments.pop("coil"), arguments.pop("pose"), **arguments), kind, words)


def test_no_points_give_no_field(small_solver, coil, pose):
    assert small_solver.solve(coil, pose, points=np.zeros((0, 3))).vectors.shape == (0, 3)


def poses_inside():
    """In the head, upside down through the scalp, sideways with one wing in it."""
    return {
        "inside": ((0.0, 0.0, 40.0), (0.0, 0.0, -1.0)),
        "just in": ((0.0, 0.0, 87.0), (0.0, 0.0, -1.0)),
        "upside down": ((0.0, 0.0, 95.0), (0.0, 0.0, 1.0)),
        "on edge": ((0.0, 0.0, 110.0), (0.0, 1.0, 0.0)),
    }


@pytest.mark.parametrize(("origin", "z"), poses_inside().values(), ids=poses_inside())
@pytest.mark.parametrize("casing", [True, False])
def test_a_coil_in_the_head(small_solver, coil, origin, z, casing):
    if not casing:
        coil = coils.Coil(positions=coil.positions, moments=coil.moments, name="bare")
        # windings lie above the casing's face
        origin = np.array(origin) - [0.0, 0.0, 15.0 if origin[2] == 87.0 else 0.0]
    inside = meshes.Pose.from_axes(origin, z, (1.0, 0.0, 0.0))
    refuse(
        lambda: small_solver.solve(coil, inside),
        ValueError,
        r"^pose must leave the coil outside the head; got \d+ of \d+ (dipoles|casing corners) of (magstim-70mm|bare) "
        r"inside the scalp\. Move the coil back along its own -z axis, or use efield\.place\.$",
    )


def test_a_scalp_that_pokes_through_the_casing_between_its_corners(small_solver, coil):
    """A corner of the scalp 0.3 mm inside the casing's face, with none of the casing's corners in the head."""
    tip = small_solver.head.scalp.vertices[0]
    outward = tip / np.linalg.norm(tip)

    def over(gap):
        return meshes.Pose.from_axes(tip + gap * outward + [2.0, 0.0, 0.0], -outward, (0.3, 1.0, 0.2))

    small_solver.solve(coil, over(0.0))  # a mere touch is allowed
    refuse(
        lambda: small_solver.solve(coil, over(-0.3)),
        ValueError,
        r"got a casing of magstim-70mm that cuts the scalp at \d+ pairs of triangles\. Move the coil back",
    )


def test_points_on_a_dipole(small_solver, pose):
    dipole = coils.Coil(positions=np.zeros((1, 3)), moments=[[0.0, 0.0, 1.0]], name="dipole")
    refuse(
        lambda: small_solver.solve(dipole, pose, points=[pose.origin]),
        ValueError,
        r"^points must keep off the coil's dipoles.*; got a field that is not finite",
    )


def test_points_on_edges_and_corners_of_the_mesh_stay_finite(small_solver, coil, pose):
    """The tangential field of flat triangles is infinite on their edges; it is cut off, not passed on as infinity."""
    scalp = small_solver.head.scalp
    points = np.concatenate([scalp.vertices[:20], scalp.corners[:20, :2].mean(axis=1), scalp.centroids[:20]])
    field = small_solver.solve(coil, pose, points=points)
    assert np.isfinite(field.vectors).all()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("solver", "head", r"^solver must be an efield\.BemSolver; got HeadModel\. Use BemSolver\(head\)\."),
        ("coil", "magstim-70mm", r"^coil must be a coils\.Coil; got str\. Use coils\.load_coil\(name\)\."),
        ("target", "m1-hand", r"^target must be an efield\.Target; got str\. Use Target\.named\(name, head\)\."),
    ],
)
def test_a_search_for_something_else(small_head, small_solver, coil, name, value, words):
    arguments = {"solver": small_solver, "coil": coil, "target": efield.Target(position=(0.0, 0.0, 60.0))}
    arguments[name] = small_head if value == "head" else value
    refuse(lambda: efield.optimize(*arguments.values()), TypeError, words)


@pytest.mark.parametrize(
    ("region", "words"),
    [
        (["a"], r"^region must be a list of vertex indices; got <U1 of shape \(1,\)"),
        ([-1, 2], r"^region must be a list of vertex indices; got int64 of shape \(2,\)"),
        ([[1, 2]], r"^region must be a list of vertex indices; got int64 of shape \(1, 2\)"),
        ([1, 10**6], r"^region must index the cortex of small, 0 to 161; got 1000000"),
    ],
)
def test_a_region_that_is_none(small_head, region, words):
    refuse(lambda: efield.Target(position=(0.0, 0.0, 70.0), region=region).on(small_head), ValueError, words)


def test_a_named_target_of_something_else():
    refuse(lambda: efield.Target.named("m1-hand", "pycortex"), TypeError, r"^head must be a meshes\.HeadModel; got str")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"head": "pycortex"}, r"^head must be a meshes\.HeadModel; got str"),
        ({"coil": "magstim-70mm"}, r"^coil must be a coils\.Coil or None; got str"),
    ],
)
def test_a_placement_of_something_else(small_head, arguments, words):
    arguments = {"head": small_head, "centre": (0.0, 0.0, 90.0)} | arguments
    refuse(lambda: efield.place(**arguments), TypeError, words)


def test_a_field_asked_for_at_nan(small_solver, coil, pose):
    field = small_solver.solve(coil, pose, points=[[0.0, 0.0, 60.0]])
    refuse(lambda: field.at([[np.nan, 0.0, 0.0]]), ValueError, r"^points must be finite; got 1 rows with NaN")


def test_a_field_saved_nowhere(small_solver, coil, pose, tmp_path):
    field = small_solver.solve(coil, pose, points=[[0.0, 0.0, 60.0]])
    refuse(lambda: field.save(tmp_path / "missing" / "f.npz"), FileNotFoundError, r"^path must lie in a folder that")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("what", ["field", "result"])
def test_a_folder_that_cannot_be_written(small_result, tmp_path, monkeypatch, what):
    """As another user's folder is; asked of the system, as root may write everywhere."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    if what == "field":
        refuse(lambda: small_result.field.save(tmp_path / "f.npz"), PermissionError, "folder that can be written")
    else:
        refuse(lambda: small_result.save(tmp_path / "new"), PermissionError, "^folder must be writable; got .*new")
    assert not list(tmp_path.iterdir())


def test_surfaces_that_touch_to_within_rounding():
    """A millionth of a millimetre apart they do not cross, but no quadrature tells their sides apart."""
    outer, inner = meshes.icosphere(1, radius=80.0, name="scalp"), meshes.icosphere(1, radius=80.0 - 1e-6, name="skull")
    head = meshes.HeadModel(
        name="touching",
        interfaces=(meshes.Interface(outer, 0.3, 0.0), meshes.Interface(inner, 0.01, 0.3)),
        cortex=meshes.icosphere(1, radius=60.0),
    )
    words = r"^The surfaces must be closed and clear of each other; got a flux that is 0\.\d+ of a charge off\. Refine"
    refuse(lambda: efield.BemSolver(head), ValueError, words)
