"""Positions of the 10-10 system."""

import numpy as np
import pytest

import meshes
from meshes import HeadModel, closest_points, load_head, positions_10_10

RADIUS = 90.0
ON_AXES = {"nasion": (0, RADIUS, 0), "inion": (0, -RADIUS, 0), "lpa": (-RADIUS, 0, 0), "rpa": (RADIUS, 0, 0)}


@pytest.fixture(scope="module")
def sphere() -> HeadModel:
    return meshes.sphere_head(radii=[RADIUS], conductivities=[0.33], subdivisions=5)


@pytest.fixture(scope="module")
def on_sphere(sphere: HeadModel) -> dict[str, np.ndarray]:
    return positions_10_10(sphere, fiducials=ON_AXES)


def on_circle(angle: float) -> tuple[float, float]:
    """Cosine and sine of an angle in degrees, times the radius."""
    return RADIUS * np.cos(np.radians(angle)), RADIUS * np.sin(np.radians(angle))


def test_midline_and_coronal_curve_of_a_sphere(on_sphere: dict[str, np.ndarray]) -> None:
    """Great circles from pole to pole: ten per cent are 18 degrees."""
    for step, (front, side) in enumerate(
        zip(
            ("Nz", "Fpz", "AFz", "Fz", "FCz", "Cz", "CPz", "Pz", "POz", "Oz", "Iz"),
            ("T9", "T7", "C5", "C3", "C1", "Cz", "C2", "C4", "C6", "T8", "T10"),
            strict=True,
        )
    ):
        along, up = on_circle(18.0 * step)
        np.testing.assert_allclose(on_sphere[front], [0.0, along, up], atol=0.1)
        np.testing.assert_allclose(on_sphere[side], [-along, 0.0, up], atol=0.1)


def test_rim_of_a_sphere(on_sphere: dict[str, np.ndarray]) -> None:
    """The circle through Fpz, T7 and Oz lies at one height; half of it is divided by ten."""
    radius, height = on_circle(18.0)
    names = ("Fpz", "Fp1", "AF7", "F7", "FT7", "T7", "TP7", "P7", "PO7", "O1", "Oz")
    for step, name in enumerate(names):
        angle = np.radians(90.0 + 18.0 * step)
        expected = [radius * np.cos(angle), radius * np.sin(angle), height]
        np.testing.assert_allclose(on_sphere[name], expected, atol=0.1)


def test_rows_of_a_sphere_are_divided_by_quarters_of_their_circle(on_sphere: dict[str, np.ndarray]) -> None:
    for row in ("AF", "F", "CP", "P", "PO"):
        left = {"CP": "TP"}.get(row, row) + "7"
        names = [left, row + "5", row + "3", row + "1", row + "z"]
        points = np.array([on_sphere[name] for name in names])
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        np.testing.assert_allclose(steps, steps[0], rtol=0.005)
        flat = np.linalg.svd(points - points.mean(axis=0))[1]
        assert flat[2] < 0.2, "a plane cuts the scalp"


def test_left_and_right_mirror_each_other(on_sphere: dict[str, np.ndarray]) -> None:
    assert len(on_sphere) == 73
    for name, point in on_sphere.items():
        digits = "".join(letter for letter in name if letter.isdigit())
        if not digits:
            assert abs(point[0]) < 0.1
            continue
        number = int(digits)
        partner = name.removesuffix(digits) + str(number + 1 if number % 2 else number - 1)
        np.testing.assert_allclose(point * [-1.0, 1.0, 1.0], on_sphere[partner], atol=0.2)


def test_it_turns_with_the_head(sphere: HeadModel, on_sphere: dict[str, np.ndarray]) -> None:
    pose = meshes.Pose.from_axes(origin=(3.0, -5.0, 8.0), z=(0.2, -0.4, 1.0), y=(0.5, 1.0, 0.1))
    scalp = sphere.interfaces[0]
    turned = HeadModel(
        name="turned",
        interfaces=(meshes.Interface(scalp.surface.transformed(pose.matrix), scalp.sigma_inside, 0.0),),
        cortex=sphere.cortex.transformed(pose.matrix),
        fiducials={name: pose.apply([point])[0] for name, point in ON_AXES.items()},
    )
    for name, point in positions_10_10(turned).items():
        np.testing.assert_allclose(point, pose.apply(on_sphere[name][None])[0], atol=1e-3)


# Where the positions project to on the cortex, MNI152: M. Okamoto et al., NeuroImage 21:99-111 (2004), recalled, not
# looked up; they report standard deviations of 5 to 15 mm over 17 heads.
OKAMOTO = {
    "C3": (-52.2, -16.4, 57.8),
    "C4": (54.1, -18.0, 57.5),
    "Cz": (0.8, -21.9, 77.4),
    "Pz": (0.2, -62.1, 69.5),
    "F3": (-35.5, 49.4, 32.4),
    "P3": (-39.5, -76.3, 47.4),
    "O1": (-25.8, -93.3, 7.7),
    "Fp1": (-21.5, 70.2, -0.1),
}


def test_fsaverage_has_them_where_they_were_found_on_others() -> None:
    head = meshes.load_head("fsaverage")
    found = positions_10_10(head)
    distances = []
    for name, expected in OKAMOTO.items():
        point, outward = meshes.scalp_point(head, found[name])
        offset = closest_points(head.cortex, point[None])[0][0] - expected
        distances.append(float(np.linalg.norm(offset - (offset @ outward) * outward)))
    assert max(distances) < 16.0
    assert np.mean(distances) < 8.0


def test_default_head_has_the_hand_near_c3_and_c4_and_the_leg_near_cz() -> None:
    head = meshes.load_head("pycortex")
    found = positions_10_10(head)
    for region, name, most in (
        ("m1-hand-left", "C3", 25.0),
        ("m1-hand-right", "C4", 25.0),
        ("m1-leg-left", "Cz", 15.0),
    ):
        over = closest_points(head.scalp, head.targets[region][None])[0][0]
        assert np.linalg.norm(over - found[name]) < most
    on_scalp = closest_points(head.scalp, np.array(list(found.values())))[2]
    assert on_scalp.max() < 1.0


def test_a_missing_inion_is_found_with_a_warning(sphere: HeadModel) -> None:
    three = {name: point for name, point in ON_AXES.items() if name != "inion"}
    with pytest.warns(UserWarning, match="inion of .* is not known"):
        found = positions_10_10(sphere, fiducials=three)
    np.testing.assert_allclose(found["Iz"], [0.0, -RADIUS, 0.0], atol=6.0)  # one edge of the sphere's mesh


@pytest.mark.parametrize(
    ("fiducials", "message"),
    [
        ({}, "nasion, lpa and rpa; got a head 'spheres' without nasion, lpa, rpa"),
        ({"nasion": (0, 90, 0)}, "without lpa, rpa"),
        (ON_AXES | {"nose": (0, 0, 0)}, "fiducials must be one of"),
        (ON_AXES | {"lpa": (0, 0, np.nan)}, "lpa must be finite"),
    ],
)
def test_bad_fiducials_get_one_sentence(sphere: HeadModel, fiducials: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        positions_10_10(sphere, fiducials=fiducials)


def test_exchanged_sides_are_refused() -> None:
    """The positions would lie under the head, C3 on the right."""
    head = load_head("pycortex", resolution="fast")
    known = dict(head.fiducials)
    known["lpa"], known["rpa"] = known["rpa"], known["lpa"]
    with pytest.raises(ValueError, match=r"Are lpa \(left\) and rpa \(right\), or nasion and inion, exchanged"):
        positions_10_10(head, fiducials=known)


def test_rows_are_divided_on_each_side_of_the_midline() -> None:
    # A head wider on the right: the midline is not the middle of a row.
    head = meshes.sphere_head(radii=[90], conductivities=[0.33], subdivisions=4)
    points = head.scalp.vertices * np.where(head.scalp.vertices[:, :1] > 0.0, [1.3, 1.0, 1.0], [1.0, 1.0, 1.0])
    scalp = meshes.Surface(points, head.scalp.triangles, "scalp")
    wide = meshes.HeadModel(interfaces=(meshes.Interface(scalp, 0.33, 0.0),), cortex=head.cortex, name="wide")
    fiducials = {"nasion": (0, 90, 0), "inion": (0, -90, 0), "lpa": (-90, 0, 0), "rpa": (117, 0, 0)}
    found = meshes.positions_10_10(wide, fiducials=fiducials)
    for names in (("F7", "F5", "F3", "F1", "Fz"), ("Pz", "P2", "P4", "P6", "P8")):
        steps = np.linalg.norm(np.diff([found[name] for name in names], axis=0), axis=1)
        np.testing.assert_allclose(steps, steps.mean(), rtol=0.03)


def test_no_head_is_named() -> None:
    with pytest.raises(TypeError, match=r"head must be a meshes\.HeadModel; got NoneType"):
        positions_10_10(None)  # type: ignore[arg-type]
