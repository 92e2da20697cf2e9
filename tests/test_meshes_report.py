"""The report on a head's surfaces: numbers against closed forms and another library, each fault against its line."""

import json
from pathlib import Path

import numpy as np
import pytest
import pyvista
import trimesh

import meshes
from meshes.files import write_surface
from meshes.files.parts import read_parts
from meshes.measures import Spot, aspects, measure_surface
from meshes.neighbours import crossing_counts, measure_pair, nesting
from meshes.report import Criteria, inspect
from tests.touching_cases import two_halves

SHARED = Path(__file__).parents[2] / "shared" / "data"


def ball(radius=90.0, centre=(0, 0, 0), name="scalp", n=2):
    return meshes.icosphere(n, radius=radius, centre=centre, name=name)


def joined(*surfaces, name="joined"):
    offsets = np.cumsum([0] + [len(s.vertices) for s in surfaces[:-1]])
    triangles = [s.triangles + o for s, o in zip(surfaces, offsets, strict=True)]
    return meshes.Surface(np.vstack([s.vertices for s in surfaces]), np.vstack(triangles), name)


def flipped(surface, rows=slice(None)):
    triangles = surface.triangles.copy()
    triangles[rows] = triangles[rows, ::-1]
    return meshes.Surface(surface.vertices, triangles, surface.name)


def scaled(surface, factor, name=None):
    return meshes.Surface(factor * surface.vertices, surface.triangles, name or surface.name)


def measured(surface):
    return measure_surface(surface, crossing_counts([surface])[0][0])


def torus(lift=0.0):
    made = trimesh.creation.torus(60.0, 20.0, major_sections=40, minor_sections=20)
    return meshes.Surface(made.vertices + np.array([0.0, 0.0, lift]), made.faces, "torus")


def line(report, subject, check):
    found = [one for one in report.findings if (one.subject, one.check) == (subject, check)]
    assert len(found) == 1, [str(one) for one in report.findings]
    return found[0]


@pytest.mark.parametrize(
    ("surface", "pieces", "genus"),
    [
        (ball(), 1, 0),
        (torus(), 1, 1),
        (joined(torus(), torus(lift=50.0)), 2, 2),
        (joined(ball(), flipped(ball(40.0))), 2, 0),
    ],
)
def test_pieces_and_handles_follow_euler(surface, pieces, genus):
    one = measured(surface)
    assert (one.pieces, one.genus) == (pieces, genus)
    assert one.is_closed
    mesh = trimesh.Trimesh(surface.vertices, surface.triangles, process=False)
    assert one.genus == pieces - mesh.euler_number // 2
    assert one.area == pytest.approx(mesh.area, rel=1e-12)
    assert one.volume == pytest.approx(mesh.volume, rel=1e-12)
    assert one.edges[0] == pytest.approx(mesh.edges_unique_length.min(), rel=1e-12)
    assert one.edges[2] == pytest.approx(np.median(mesh.edges_unique_length), rel=1e-12)


def test_two_balls_that_share_a_vertex_have_no_handle():
    """Vertices count once for each fan of triangles, or two balls that touch would seem to have half a handle."""
    left = ball(10.0)
    tip = int(left.vertices[:, 0].argmax())
    right = meshes.Surface(left.vertices * [-1, 1, 1] + 2 * left.vertices[tip] * [1, 0, 0], left.triangles[:, ::-1])
    triangles = right.triangles + len(left.vertices)
    triangles[triangles == tip + len(left.vertices)] = tip
    both = meshes.Surface(np.vstack([left.vertices, right.vertices]), np.vstack([left.triangles, triangles]), "both")
    one = measured(both)
    assert (one.pieces, one.genus, one.unused_vertices.count) == (2, 0, 1)


def test_aspect_in_closed_form():
    height = 0.25
    flat = meshes.Surface([[0, 0, 0], [2, 0, 0], [0.3, height, 0], [1, np.sqrt(3), 0]], [[0, 1, 2], [0, 1, 3]])
    assert aspects(flat) == pytest.approx([2.0 / height, 2.0 / np.sqrt(3.0)], rel=1e-12)
    line_only = meshes.Surface([[0, 0, 0], [1, 0, 0], [2, 0, 0]], [[0, 1, 2]])
    assert np.isinf(aspects(line_only)).all()


def test_numbers_do_not_depend_on_where_the_surface_lies(rng):
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn, rng.uniform(-50, 50, 3)
    bumpy = ball()
    bumpy = meshes.Surface(bumpy.vertices + rng.normal(0, 1.0, bumpy.vertices.shape), bumpy.triangles, "bumpy")
    here, there = measured(bumpy), measured(bumpy.transformed(matrix))
    for name in ("area", "volume", "edges", "aspect"):
        assert getattr(there, name) == pytest.approx(getattr(here, name), rel=1e-9)
    assert (there.crossings.count, there.pieces, there.genus) == (here.crossings.count, here.pieces, here.genus)


def test_gap_and_resolution_of_concentric_spheres():
    """Between the plane distance of the outer triangles and the difference of the radii; VTK as a second route."""
    outer, inner = ball(90.0, n=3), ball(85.0, name="skull", n=3)
    pair = measure_pair(inner, outer, nested=True, crossings=Spot(0))
    planes = np.einsum("ij,ij->i", outer.normals, outer.corners[:, 0]).min()
    assert planes - 85.0 <= pair.gap + 1e-9
    assert pair.gap <= 5.0
    found = []
    for one, other in ((inner, outer), (outer, inner)):
        mesh = pyvista.PolyData.from_regular_faces(other.vertices, other.triangles.astype(int))
        points = pyvista.PolyData(np.concatenate([one.vertices, one.centroids]))
        found.append(np.abs(points.compute_implicit_distance(mesh)["implicit_distance"]).min())
    assert pair.gap == pytest.approx(min(found), rel=1e-5)  # VTK keeps the distance in single precision
    assert np.linalg.norm(pair.gap_place) == pytest.approx(85.0, abs=5.1)
    # Edges of 10 to 13 mm on a gap of 5: all too coarse at 1.5 gaps, none at 4; three quarters gone at half the edge.
    coarse = measure_pair(inner, outer, nested=True, crossings=Spot(0), resolution=1.5)
    assert coarse.coarse == 1.0
    assert measure_pair(inner, outer, nested=True, crossings=Spot(0), resolution=4.0).extra_triangles == 0
    finer = measure_pair(ball(85.0, n=4), ball(90.0, n=4), nested=True, crossings=Spot(0), resolution=1.5)
    assert finer.ratio == pytest.approx(0.5 * coarse.ratio, rel=0.15)
    wanted = len(outer.triangles) + len(inner.triangles) + coarse.extra_triangles
    estimate = len(outer.triangles) + len(inner.triangles)
    assert wanted / estimate == pytest.approx((coarse.ratio / 1.5) ** 2, rel=0.35)


def test_overlap_is_the_depth_of_the_overlap():
    outer, inner = ball(90.0, n=3), ball(80.0, (14.0, 0, 0), "skull", n=3)  # 4 mm through the right side
    own, mutual = crossing_counts([outer, inner])
    assert [spot.count for spot in own] == [0, 0]
    pair = measure_pair(inner, outer, nested=True, crossings=mutual[(0, 1)])
    assert pair.gap == 0.0
    assert pair.overlap == pytest.approx(4.0, abs=0.6)  # the triangles' sagitta


def test_nesting_of_a_shuffled_head_is_found():
    head = meshes.sphere_head([90, 84, 78, 60], [0.465, 0.01, 1.654, 0.275], subdivisions=2)
    order = [2, 0, 3, 1]
    surfaces = [head.interfaces[k].surface for k in order]
    assert nesting(surfaces) == (3, None, 0, 1)
    assert nesting([flipped(surface) for surface in surfaces]) == (3, None, 0, 1)


def test_a_good_head_does_not_fail(small_head):
    report = inspect(small_head)
    assert report.ok
    assert report.parents == {"sphere-1": None, "sphere-2": "sphere-1", "sphere-3": "sphere-2"}
    assert [one.check for one in report.warnings()] == ["resolution", "resolution"]
    assert report.cortex == "cortex"
    text = str(report)
    assert "sphere-3 in sphere-2: gap 5." in text
    assert "warn  sphere-2 / sphere-1: resolution" in text
    content = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert content["verdict"] == "warn"
    assert [one["name"] for one in content["surfaces"]] == ["sphere-1", "sphere-2", "sphere-3", "cortex"]
    assert len(content["findings"]) == len(report.findings)
    # What is good enough is the caller's to say.
    assert inspect(small_head, criteria=Criteria(resolution=20.0)).verdict == "ok"


def poked():
    """Return a ball with its top vertex pulled down through the bottom."""
    surface = ball()
    vertices = surface.vertices.copy()
    vertices[vertices[:, 2].argmax(), 2] = -100.0
    return meshes.Surface(vertices, surface.triangles, "scalp")


def pinched():
    surface = ball()
    vertices = surface.vertices.copy()
    vertices[surface.triangles[0, 0]] = vertices[surface.triangles[0, 1]]
    return meshes.Surface(vertices, surface.triangles, "scalp")


TOP = int(ball().centroids[:, 2].argmax())
BALL = ball()
SKULL = ball(80.0, name="skull")

FAULTS = {
    "open": ([meshes.Surface(BALL.vertices, np.delete(BALL.triangles, TOP, 0), "scalp")], "scalp", "closed"),
    "turned patch": ([flipped(BALL, [TOP])], "scalp", "orientation"),
    "inside out": ([flipped(BALL)], "scalp", "outward"),
    "hollow not turned": ([joined(BALL, ball(40.0), name="scalp")], "scalp", "outward"),
    "double triangle": (
        [meshes.Surface(BALL.vertices, np.vstack([BALL.triangles, BALL.triangles[:1]]), "scalp")],
        "scalp",
        "double triangles",
    ),
    "three sheets": (
        [meshes.Surface([*BALL.vertices, [0, 0, 120]], [*BALL.triangles, [*BALL.triangles[0, :2], 162]], "scalp")],
        "scalp",
        "sheets",
    ),
    "flat": ([pinched()], "scalp", "flat triangles"),
    "spare vertex": (
        [meshes.Surface(np.vstack([BALL.vertices, [[1, 2, 3]]]), BALL.triangles, "scalp")],
        "scalp",
        "spare vertices",
    ),
    "through itself": ([poked()], "scalp", "self crossing"),
    "through another": ([BALL, ball(80.0, (14, 0, 0), "skull")], "skull / scalp", "crossing"),
    "metres": ([scaled(BALL, 1e-3), scaled(SKULL, 1e-3)], "head", "unit"),
    "one in metres": ([BALL, scaled(SKULL, 1e-3)], "head", "unit"),
    "mirrored": ([scaled(BALL, [-1, 1, 1]), scaled(SKULL, [-1, 1, 1])], "head", "handedness"),
    "sides exchanged": (
        [BALL, ball(30.0, (35, 0, 0), "pial_lh"), ball(30.0, (-35, 0, 0), "pial_rh")],
        "head",
        "sides",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def sound():
    """Return the report of surfaces without a fault."""
    return inspect([BALL, ball(30.0, (-35, 0, 0), "pial_lh"), ball(30.0, (35, 0, 0), "pial_rh"), SKULL])


@pytest.mark.parametrize(("surfaces", "subject", "check"), FAULTS.values(), ids=list(FAULTS))
def test_each_fault_has_its_line(surfaces, subject, check, sound):
    report = inspect(surfaces)
    found = line(report, subject, check)
    assert found.verdict == "fail"
    assert not report.ok
    # The same surfaces without the fault pass this line.
    passed = {one.check for one in sound.findings if one.verdict == "ok"}
    assert check in passed | {"handedness"}  # which is said only where it is wrong
    assert sound.ok


@pytest.mark.parametrize("key", [key for key in FAULTS if key not in ("metres", "one in metres", "sides exchanged")])
def test_what_fails_is_refused_as_a_head(key):
    """The report fails where `HeadModel` raises: two programs that judge the same surfaces."""
    surfaces, _, _ = FAULTS[key]
    conductivities = [0.465, 0.01, 1.654, 0.275]
    with pytest.raises(ValueError, match="must"):
        meshes.HeadModel(
            "bad",
            tuple(
                meshes.Interface(surface, conductivities[k], conductivities[k - 1] if k else 0.0)
                for k, surface in enumerate(surfaces)
            ),
            ball(60.0, name="cortex"),
        )


def test_places_are_where_the_fault_is():
    report = inspect(FAULTS["open"][0])
    assert line(report, "scalp", "closed").value == 3
    assert np.linalg.norm(np.array(line(report, "scalp", "closed").place) - BALL.centroids[TOP]) < 15.0
    report = inspect(FAULTS["through another"][0])
    # Two spheres, 90 and 80 mm, 14 mm apart, cross in a ring at x = (90^2 - 80^2 + 14^2) / 28 = 67.7 mm.
    assert line(report, "skull / scalp", "crossing").place[0] == pytest.approx(67.7, abs=10.0)  # an edge is 25 mm
    assert "mm deep at most" in line(report, "skull / scalp", "crossing").found
    assert line(inspect(FAULTS["spare vertex"][0]), "scalp", "spare vertices").place == (1.0, 2.0, 3.0)
    assert "multiply by 1000" in line(inspect(FAULTS["metres"][0]), "head", "unit").criterion


def test_a_thin_csf_warns_and_a_thick_one_does_not():
    def gap_line(radius):
        head = meshes.HeadModel(
            "thin",
            (
                meshes.Interface(ball(90.0), 0.465, 0.0),
                meshes.Interface(ball(80.0, name="inner_skull"), 1.654, 0.465),
                meshes.Interface(ball(radius, name="pial"), 0.275, 1.654),
            ),
            ball(70.0, name="cortex"),
        )
        return line(inspect(head), "pial / inner_skull", "gap")

    assert gap_line(79.5).verdict == "warn"
    assert gap_line(79.5).criterion == "at least 1 mm"
    assert gap_line(78.0).verdict == "ok"


def test_fiducials_of_a_frame_turned_round_fail(small_head):
    points = {"nasion": (0, 90, 0), "inion": (0, -90, 0), "lpa": (-90, 0, 0), "rpa": (90, 0, 0)}
    turned = {key: -np.array(point) for key, point in points.items()}
    for fiducials, verdict in ((points, "ok"), (turned, "fail")):
        head = meshes.HeadModel("h", small_head.interfaces, small_head.cortex, fiducials=fiducials)
        assert {one.verdict for one in inspect(head).findings if one.check == "fiducials"} == {verdict}


def test_conductivities_in_millisiemens_warn(small_head):
    sigmas = [465.0, 10.0, 275.0]
    interfaces = tuple(
        meshes.Interface(one.surface, sigmas[k], sigmas[k - 1] if k else 0.0)
        for k, one in enumerate(small_head.interfaces)
    )
    report = inspect(meshes.HeadModel("mS", interfaces, small_head.cortex))
    assert line(report, "head", "conductivities").verdict == "warn"
    assert line(inspect(small_head), "head", "conductivities").verdict == "ok"


def test_touching_tissues_are_no_holes():
    head = two_halves(6)
    assert head.touching
    report = inspect(head)
    assert report.ok, str(report)
    assert any(pair.touching for pair in report.pairs) or len(head.interfaces) == 1


def write_toml(folder, outer, inner, *, outside="scalp"):
    write_surface(outer, folder / "skin.ply")
    write_surface(inner, folder / "skull.ply")
    file = folder / "head.toml"
    file.write_text(
        '[[interface]]\nfile = "skin.ply"\nname = "scalp"\ninside = "scalp"\noutside = "air"\n'
        f'[[interface]]\nfile = "skull.ply"\nname = "skull"\ninside = 0.01\noutside = "{outside}"\n'
    )
    return file


def test_files_are_read_whatever_is_wrong_with_them(tmp_path):
    good = inspect(write_toml(tmp_path, BALL, SKULL))
    assert good.ok
    assert good.cortex == "cortex"
    bad = inspect(write_toml(tmp_path, flipped(BALL, [TOP]), ball(80.0, (14, 0, 0))))
    assert line(bad, "scalp", "orientation").verdict == "fail"
    assert line(bad, "skull / scalp", "crossing").verdict == "fail"
    refusal = line(bad, "head", "a head")
    assert refusal.verdict == "fail"
    assert "scalp must have all triangles turned the same way" in refusal.found
    parts = read_parts(tmp_path / "head.toml")
    assert parts.sigmas[1] == (0.01, 0.465)
    wrong = inspect(write_toml(tmp_path, BALL, SKULL, outside="csf"))
    assert line(wrong, "head", "nesting").verdict == "ok"
    assert line(wrong, "head", "tissues").verdict == "fail"
    nested = inspect(write_toml(tmp_path, SKULL, BALL))  # the outer one is said to lie inside
    assert not nested.ok


def test_one_surface_needs_no_head(tmp_path):
    write_surface(BALL, tmp_path / "ball.stl")
    report = inspect(tmp_path / "ball.stl")
    assert report.verdict == "ok"
    assert [one.name for one in report.surfaces] == ["ball"]
    np.savez(tmp_path / "set.npz", names=["a", "b"], a_v=BALL.vertices, a_f=BALL.triangles, b_v=SKULL.vertices,
             b_f=SKULL.triangles)  # fmt: skip
    assert inspect(tmp_path / "set.npz").parents == {"a": None, "b": "a"}


def test_what_is_no_head_is_said(tmp_path):
    (tmp_path / "junk.msh").write_bytes(b"not a mesh")
    with pytest.raises(ValueError, match=r"junk\.msh must"):
        inspect(tmp_path / "junk.msh")
    with pytest.raises(FileNotFoundError, match=r"path must be a file or folder that exists"):
        inspect(tmp_path / "none.msh")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="must hold"):
        inspect(tmp_path / "empty")
    with pytest.raises(TypeError, match="head must be a head, surfaces or a path; got int"):
        inspect([3])
    with pytest.raises(TypeError, match="got none"):
        inspect([])


def test_a_surface_without_triangles_fails_beside_others():
    empty = meshes.Surface(np.zeros((0, 3)), np.zeros((0, 3), dtype=int), "empty")
    report = inspect([BALL, SKULL, empty])
    assert line(report, "empty", "triangles").verdict == "fail"
    assert report.parents == {"scalp": None, "skull": "scalp", "empty": None}


def test_the_shared_head_with_a_crossing_cortex():
    file = SHARED / "head_3shell_wh.npz"
    if not file.exists():
        pytest.skip("needs the shared test head with a crossing cortex")
    report = inspect(file)
    found = line(report, "cortex", "self crossing")
    assert (found.verdict, found.value) == ("fail", 251)  # by the data's README
    assert report.parents == {
        "scalp": None, "outer_skull": "scalp", "inner_skull": "outer_skull", "cortex": "inner_skull",
    }  # fmt: skip
    assert [one.genus for one in report.surfaces] == [0, 0, 0, 0]
