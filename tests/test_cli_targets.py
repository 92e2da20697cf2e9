"""``efield targets`` on heads that do not bring all targets along."""

from dataclasses import replace

import numpy as np
import pytest

from efield.cli import lists
from efield.cli.extras import Extras
from efield.cli.goals import Goal
from meshes.anatomy import regions


def test_what_is_not_a_region_of_the_head_is_found_or_said_to_be_missing(small_head, monkeypatch, capsys):
    head = replace(small_head, regions=dict(small_head.regions) | {"label:spot-left": np.array([0, 1])})
    monkeypatch.setattr(lists, "check_names", lambda **_: None)
    monkeypatch.setattr(lists, "open_head", lambda *_, **__: head)

    def find(_, name, *, side, **__):
        if name != "m1-leg":
            raise ValueError("nothing to find it by")
        return regions.Place(key=f"{name}-{side}", way="mni", source="somehow", position=np.array([1.0, 2.0, 80.0]))

    monkeypatch.setattr(regions, "find_region", find)
    monkeypatch.setattr("efield.targeting.target.find_region", find)
    lists.show_targets("small", "coarse")
    shown, said = capsys.readouterr()
    rows = [line.split() for line in shown.splitlines() if line.startswith(("m1", "s1", "label"))]
    assert [row[0] for row in rows] == ["m1-hand", "m1-hand", "m1-leg", "m1-leg"]
    assert "1, 2, 80" in shown
    said = " ".join(said.split())
    assert "1 labels on its cortex can be targets in Python" in said
    assert "by MNI coordinates (efield target says how good): m1-leg left, m1-leg right." in said
    assert "Not to be found, give a position in Python: m1-mouth left, m1-mouth right, s1-hand left" in said


def test_shipped_heads_need_no_notes(capsys):
    lists.show_targets("fsaverage", "standard")
    shown, said = capsys.readouterr()
    assert sum(line.startswith(("m1-", "s1-")) for line in shown.splitlines()) == 12
    assert "guess" not in said


def test_a_guess_is_said_before_the_search(small_head, monkeypatch, tmp_path, capsys):
    """The warning of Target.named becomes a line on stderr, not Python's own."""
    import warnings

    from efield.cli import target

    class StopError(Exception):
        pass

    def named(*_, **__):
        warnings.warn("m1-hand left of small is a guess: so and so.", stacklevel=2)

    def solver(_):
        raise StopError

    monkeypatch.setattr(target, "check_names", lambda **_: None)
    monkeypatch.setattr(target, "open_head", lambda *_, **__: small_head)
    monkeypatch.setattr("efield.Target.named", named)
    monkeypatch.setattr("efield.BemSolver", solver)
    with pytest.raises(StopError):
        target.run(
            Goal(name="m1-hand", side="left"),
            target.Search(
                angle_step=30.0,
                distance=4.0,
                radius=10.0,
                spacing=5.0,
                tilt=0.0,
                current=None,
                deform=False,
                gap=0.1,
            ),
            Extras(),
            coil_name="magstim-70mm",
            head_name="small",
            resolution="coarse",
            out=tmp_path / "out",
            didt=1e6,
            wanted=60.0,
            figure=False,
        )
    assert "Note: m1-hand left of small is a guess: so and so." in capsys.readouterr().err
