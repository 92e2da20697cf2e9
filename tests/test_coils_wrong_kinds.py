"""Things of another kind or in another unit: one sentence each, never an AttributeError or a number."""

from collections.abc import Callable
from pathlib import Path

import pytest

import coils
import efield

PULSE = coils.rectangular(1e-4)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: coils.reduce_dipoles(None, max_error=0.1), "coil must be a coils.Coil; got NoneType"),
        (lambda: coils.inductance(5), "coil must be a coils.Coil; got int"),
        (lambda: coils.membrane_response(5, 1e-4), "waveform must be a coils.Waveform; got int"),
        (lambda: coils.threshold_factor(None, 1e-4), "waveform must be a coils.Waveform; got NoneType"),
        (lambda: coils.threshold_ratio(PULSE, 5, 1e-4), "waveform must be a coils.Waveform; got int"),
        (lambda: efield.navigation.write_poses([1], "p.txt", system="brainsight"), "poses must be a mapping"),
    ],
)
def test_another_kind_is_named(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(TypeError, match=sentence):
        call()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: coils.threshold_factor(PULSE, 196), "tau must be at most 1 s; got 196 s. Give seconds"),
        (lambda: coils.chronaxie(196), "tau must be at most 1 s; got 196 s. Give seconds"),
        (
            lambda: coils.reduce_dipoles(coils.load_coil("magstim-25mm"), max_error=5),
            "max_error must be less than 1, a share; got 5. Give 0.05 for 5 %",
        ),
        (
            lambda: coils.figure_of_eight(inner_diameter=56e3, outer_diameter=87e3, turns=9),
            "outer_diameter must be at most 2000 mm; got 87000 mm. Give millimetres",
        ),
        (
            lambda: coils.Assembly(
                name="x", elements=[coils.Element(coils.Dipoles([[0, 0, -5]], [[0, 0, 1]]))], deformations=[5]
            ),
            "deformations must be coils.Deformation; got int",
        ),
    ],
)
def test_another_unit_is_refused(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        call()


def test_no_waveform_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"waveform must be a coils\.Waveform"):
        coils.write_waveform(None, tmp_path / "w.tsv")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
