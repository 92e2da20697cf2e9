"""Named targets on heads with lesions: what is lost is not a target, what is left is told."""

import warnings

import pytest

import efield
import meshes


@pytest.fixture(scope="module")
def head():
    return meshes.load_head("pycortex", resolution="fast")


def _lesioned(head, radius):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of the regions that it takes
        return head.with_lesion(centre=head.targets["m1-hand-left"], radius=radius)


def test_a_region_that_is_lost_is_no_target(head):
    stroke = _lesioned(head, 25.0)
    with pytest.raises(
        ValueError, match=r"^m1-hand-left must have cortex left; got 'pycortex', in which a lesion takes"
    ):
        efield.Target.named("m1-hand", stroke, side="left")
    assert efield.Target.named("m1-hand", stroke, side="right").source.startswith("region m1-hand-right of pycortex")
    # By coordinates there is nothing left near by either.
    with pytest.raises(ValueError, match=r"must have cortex left"):
        efield.Target.named("m1-hand", stroke, side="left", by="mni")


def test_what_is_left_of_a_region_is_told(head):
    stroke = _lesioned(head, 8.0)
    with pytest.warns(
        UserWarning, match=r"m1-hand left of pycortex is what is left of it: .* of which a lesion takes \d+"
    ):
        target = efield.Target.named("m1-hand", stroke, side="left")
    # On the cortex that is left, outside the lesion.
    assert meshes.closest_points(stroke.cortex, target.position[None])[2][0] < 1e-6
