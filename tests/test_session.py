"""Sessions of recorded pulses: fields by another route, transforms, statistics and files by hand."""

import csv
import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import coils
import efield
import meshes
from coils import Stimulator
from efield.bem.solver import BemSolver
from efield.navigation import RecordedPose, Recording
from efield.session import Session, simulate_session
from efield.session.words import doubts, facts
from meshes import Pose
from tests.session_cases import RADIUS, SPOT, eight, moved, recorded


@pytest.fixture(scope="module")
def head() -> meshes.HeadModel:
    return meshes.sphere_head([RADIUS, 80.0], [0.465, 0.3], subdivisions=2)


@pytest.fixture(scope="module")
def solver(head) -> BemSolver:
    return efield.BemSolver(head)


@pytest.fixture(scope="module")
def coil() -> coils.Coil:
    return eight()


@pytest.fixture(scope="module")
def targets() -> tuple[efield.Target, ...]:
    along = (0.0, 1.0, -0.1 / 0.86)  # tangential, and away from the optimum's handle: as a figure-of-eight induces
    return (
        efield.Target(position=70.0 * SPOT, radius=15.0, name="wide"),
        efield.Target(position=74.0 * SPOT, radius=15.0, name="along", side="left", direction=along),
    )


@pytest.fixture(scope="module")
def optimum(head, coil) -> Pose:
    return efield.place(head, RADIUS * SPOT, handle=(0.0, -1.0, 0.3), distance=5.0, coil=coil)


@pytest.fixture(scope="module")
def poses(optimum) -> tuple[RecordedPose, ...]:
    """Return the optimum, two pulses beside it, one that cuts, one far off, one in the head, one without strength."""
    return (
        recorded(optimum, "best", didt=60e6, mso=50.0, time=0.0),
        recorded(moved(optimum, shift=(5.0, -3.0, -4.0), turn=(4.0, -3.0, 25.0)), "beside", didt=70e6, time=5.0),
        recorded(moved(optimum, shift=(0.0, 12.0, 0.5), turn=(0.0, 0.0, -90.0)), "turned", mso=40.0, time=10.0),
        recorded(moved(optimum, shift=(0.0, 0.0, 7.0)), "cut", didt=0.0, time=15.0),
        recorded(moved(optimum, shift=(0.0, 0.0, -60.0)), "off", didt=60e6, time=20.0),
        recorded(moved(optimum, shift=(0.0, 0.0, 40.0)), "in", time=25.0),
        recorded(moved(optimum, shift=(0.0, 0.0, -29.0)), "high", mso=120.0, time=30.0),
    )


@pytest.fixture(scope="module")
def session(solver, coil, poses, targets, optimum) -> Session:
    return simulate_session(
        solver,
        coil,
        Recording("localite", poses, ("lost",)),
        targets,
        optimum=optimum,
        stimulator=Stimulator("box", max_didt=100e6),
    )


# ------------------------------------------------------------------------------------------------------ fields


def test_pulses_have_the_field_of_direct_solutions(session, solver, coil, targets):
    """Another route: each pulse solved for its own charges, and the field averaged over the target's points."""
    for row in np.flatnonzero(session.counted):
        if session.cutting[row]:
            continue  # refused by the direct solver, which takes no casing that cuts the scalp
        for column, target in enumerate(targets):
            patch = target.on(solver.head)
            direct = patch.mean(solver.solve(coil, session.poses[row], points=patch.points).vectors)
            error = np.linalg.norm(session.vectors[row, column] - direct) / np.linalg.norm(direct)
            assert error < 1e-3, (row, column)  # the transposed solves' tolerance is 1e-4


def test_a_pulse_whose_casing_cuts_has_the_field_of_its_windings(session, solver, coil, targets):
    """The field does not know of the casing: the same coil without one is accepted by the direct solver."""
    row = session.states.index("counted", 3)
    assert session.pulses[row].name == "cut"
    assert session.cutting[row]
    bare = dataclasses.replace(coil, casing=None)
    # Its origin, which would stand for the casing, is in the head too: move the coil's frame out along its axis.
    lifted = dataclasses.replace(bare, positions=coil.positions + np.array([0.0, 0.0, 10.0]))
    pose = moved(session.poses[row], shift=(0.0, 0.0, -10.0))
    patch = targets[0].on(solver.head)
    direct = patch.mean(solver.solve(lifted, pose, points=patch.points).vectors)
    # Measured 2e-3: both routes integrate the field of dipoles 4 mm over triangles of 50 mm, each in its own way.
    assert np.linalg.norm(session.vectors[row, 0] - direct) < 5e-3 * np.linalg.norm(direct)


def test_many_pulses_cost_no_solves_of_their_own(solver, coil, targets, optimum, monkeypatch):
    """Six transposed systems for two targets, whatever the number of pulses."""
    solved = []
    original = type(solver.operator).solve_transposed

    def counting(self, rhs, **more):
        solved.append(rhs.shape[1])
        return original(self, rhs, **more)

    monkeypatch.setattr(type(solver.operator), "solve_transposed", counting)
    monkeypatch.setattr(BemSolver, "solve", lambda *_, **__: pytest.fail("no pulse is solved for"))
    many = [recorded(moved(optimum, shift=(0.0, 0.0, -0.1 * number))) for number in range(200)]
    found = simulate_session(solver, coil, many, targets)
    assert sum(solved) == 6
    assert found.counted.all()
    assert np.ptp(found.values[:, 0]) > 0.3 * found.values[:, 0].max()


def test_a_search_brings_its_own_fields(small_solver, small_result, monkeypatch):
    """With the result of a search for these targets nothing is solved again, and its pose has the search's field."""
    monkeypatch.setattr(
        type(small_solver.operator), "solve_transposed", lambda *_, **__: pytest.fail("solved again for the targets")
    )
    found = simulate_session(
        small_solver, small_result.coil, [recorded(small_result.pose)], small_result.targets, optimum=small_result
    )
    assert found.shares[0, 0] == pytest.approx(1.0, rel=1e-9)
    assert found.values[0, 0] == pytest.approx(small_result.field_at_target, rel=3e-3)  # that one is solved directly


def test_the_transform_takes_recordings_to_the_head(session, solver, coil, poses, targets):
    """Recorded in other coordinates, with the motion back: the same session."""
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("xyz", [20.0, -35.0, 70.0], degrees=True).as_matrix()
    motion[:3, 3] = (30.0, -200.0, 12.0)
    away = [dataclasses.replace(pose, pose=Pose(motion).inverse() @ pose.pose) for pose in poses]
    for transform in (motion, Pose(motion)):
        again = simulate_session(solver, coil, away, targets, transform=transform)
        assert again.states == session.states
        np.testing.assert_allclose(again.gaps, session.gaps, atol=1e-9)
        np.testing.assert_allclose(again.vectors, session.vectors, rtol=1e-9, atol=1e-12)
    assert "moved to the head's by the given transform" in facts(again)["Coordinates"]
    assert "no transform given" in facts(session)["Coordinates"]
    with pytest.raises(ValueError, match=r"at least one pulse; got 7.*give transform="):
        simulate_session(solver, coil, away, targets)


def test_the_optimum_among_the_pulses_is_at_one(session):
    np.testing.assert_allclose(session.shares[0], 1.0, rtol=1e-12)
    assert session.offsets[0] == 0.0
    assert session.turns[0][0] == pytest.approx(0.0, abs=1e-9)
    assert session.optimum_gap == session.gaps[0]


def test_a_wanted_direction_counts_its_component(session, targets):
    np.testing.assert_allclose(session.values[0, 1], session.vectors[0, 1] @ targets[1].direction, rtol=1e-12)
    np.testing.assert_allclose(session.values[0, 0], np.linalg.norm(session.vectors[0, 0]), rtol=1e-12)
    assert abs(session.values[2, 1]) < 0.5 * session.values[0, 1]  # a quarter turn
    assert session.magnitudes[2, 1] > abs(session.values[2, 1])


# ------------------------------------------------------------------------------------------- rows and statistics


def test_nothing_is_dropped(session):
    assert [pulse.name for pulse in session.pulses] == ["best", "beside", "turned", "cut", "off", "in", "high"]
    assert session.states == ("counted",) * 4 + ("off the head", "in the head", "off the head")
    np.testing.assert_array_equal(np.isnan(session.vectors).all(axis=(1, 2)), ~session.counted)
    assert list(session.cutting) == [False, False, False, True, False, True, False]
    assert session.gaps[4] == pytest.approx(session.gaps[0] + 60.0, abs=1.0)
    said = " ".join(doubts(session))
    assert "2 of 7 pulses off the head, more than 30 mm from the scalp; listed, not counted: 5 (off), 7 (high)" in said
    assert "1 of 7 pulses in the head, windings inside; listed, not counted: 6 (in)" in said
    assert "1 entry of the file without a pose" in said
    assert "not from 0 to 100 % in 1 pulse: 7 (high)" in said
    assert "An output of 0 is taken as not recorded" in said


def test_angles_and_tilts_are_those_of_the_turns(solver, coil, targets, optimum):
    """In the coil's frame z looks into the head, so that a turn about -z is counter-clockwise seen from outside."""
    turns = [(0.0, 0.0, -20.0), (0.0, 0.0, 150.0), (7.0, 0.0, 0.0), (0.0, -9.0, 0.0)]
    many = [recorded(moved(optimum, shift=(0.0, 0.0, -10.0), turn=turn)) for turn in turns]
    # Tilt after turn: the shortest turn back leaves the angle as it was.
    both = moved(optimum, shift=(0.0, 0.0, -10.0), turn=(6.0, 0.0, 0.0))
    many.append(recorded(moved(both, turn=(0.0, 0.0, -30.0))))
    found = simulate_session(solver, coil, many, targets[0], optimum=optimum)
    angle, tilt = found.turns
    np.testing.assert_allclose(angle, [20.0, -150.0, 0.0, 0.0, 30.0], atol=1e-6)
    np.testing.assert_allclose(tilt, [0.0, 0.0, 7.0, 9.0, 6.0], atol=1e-6)
    np.testing.assert_allclose(found.offsets, 10.0, atol=1e-9)
    # Seen from outside, with the handle up, a counter-clockwise turn takes it to the left.
    handles = [pose.apply_vectors(coil.handle) for pose in (optimum, found.poses[0])]
    left = np.cross(-optimum.z_axis, handles[0])
    assert handles[1] @ left == pytest.approx(math.sin(math.radians(20.0)), abs=1e-9)
    np.testing.assert_allclose(found.scalp_tilts[:2], 0.0, atol=3.0)  # facets
    np.testing.assert_allclose(found.scalp_tilts[2:4], [7.0, 9.0], atol=3.0)


def test_recorded_strengths(session):
    """From the file; else per cent of the stimulator's 100 A/us; zeros and more than 100 % are unknown."""
    np.testing.assert_array_equal(session.didt, [60e6, 70e6, 40e6, np.nan, 60e6, np.nan, np.nan])
    np.testing.assert_allclose(session.recorded[:2, 0], session.values[:2, 0] * [60.0, 70.0], rtol=1e-12)


def test_statistics_are_those_of_the_counted_pulses(session):
    """Made-up fields in round numbers: 1 to 20 V/m, of an optimum of 20; two rows do not count."""
    count = 22
    vectors = np.zeros((count, 2, 3))
    vectors[:20, :, 0] = np.arange(1.0, 21.0)[:, None]
    vectors[20:] = np.nan
    fake = dataclasses.replace(
        session,
        recording=Recording("", tuple(recorded(session.poses[0], str(number)) for number in range(count))),
        poses=(session.poses[0],) * count,
        vectors=vectors,
        gaps=np.zeros(count),
        states=("counted",) * 20 + ("off the head", "in the head"),
        didt=np.where(np.arange(count) < 10, 2e6, np.nan),
        optimum_vectors=np.full((2, 3), [0.0, 20.0, 0.0]),
    )
    first = fake.statistics[0]
    assert (first.count, first.median, first.least, first.greatest, first.optimum) == (20, 10.5, 1.0, 20.0, 20.0)
    assert first.low == pytest.approx(1.0 + 0.05 * 19.0)
    assert first.median_share == pytest.approx(0.525)
    assert first.share_near_optimum == pytest.approx(2 / 20)  # 19 and 20; 18 is 90 %, not above
    assert (first.recorded_count, first.recorded_median) == (10, 11.0)
    bare = dataclasses.replace(fake, optimum=None, optimum_vectors=None, optimum_gap=None, didt=np.full(count, np.nan))
    first = bare.statistics[0]
    assert (first.optimum, first.median_share, first.share_near_optimum) == (None, None, None)
    assert (first.recorded_count, first.recorded_median, first.recorded_low) == (0, None, None)
    assert "From the optimum" not in facts(bare)


def test_planned_poses_are_no_pulses(solver, coil, targets, optimum):
    planned = RecordedPose(name="plan", pose=optimum, kind="target")
    mixed = simulate_session(solver, coil, [planned, recorded(optimum, "shot")], targets[0])
    assert [pulse.name for pulse in mixed.pulses] == ["shot"]
    assert "1 pose of the file left out: planned, without a pulse." in doubts(mixed)
    alone = simulate_session(solver, coil, [planned], targets[0])
    assert [pulse.name for pulse in alone.pulses] == ["plan"]


def test_a_coil_held_upright_is_doubted(solver, coil, targets, optimum):
    upright = recorded(moved(optimum, shift=(0.0, 0.0, -45.0), turn=(90.0, 0.0, 0.0)))
    found = simulate_session(solver, coil, [upright], targets[0])
    assert any("degrees from the scalp's normal in the median pulse" in sentence for sentence in doubts(found))
    level = simulate_session(solver, coil, [recorded(optimum)], targets[0])
    assert not doubts(level)


# ------------------------------------------------------------------------------------------------------- files


def test_csv_and_json_say_the_same(session, tmp_path):
    session.save(tmp_path / "new" / "out", figure=False)
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == ["session.csv", "session.json"]
    content = json.loads((tmp_path / "new" / "out" / "session.json").read_text(encoding="utf-8"))
    assert content == json.loads(json.dumps(session.as_dict()))
    with (tmp_path / "new" / "out" / "session.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(content["pulses"]) == 7
    for line, pulse in zip(table, content["pulses"], strict=True):
        matrix = pulse.pop("matrix_coil_to_head_mm")
        np.testing.assert_array_equal(matrix, session.poses[pulse["pulse"] - 1].matrix)
        assert list(line) == list(pulse)
        for key, value in pulse.items():
            assert line[key] == ("" if value is None else str(value)), key
    first = content["pulses"][1]
    assert first["offset_from_optimum_mm"] == pytest.approx(math.sqrt(50.0))
    assert first["wide: |E| V_per_m_per_A_us"] == session.magnitudes[1, 0]
    assert first["along left: wanted component V_per_m_per_A_us"] == session.values[1, 1]
    assert first["along left: recorded V_per_m"] == session.recorded[1, 1]
    assert content["pulses"][4]["wide: share of optimum"] is None
    assert content["recording"]["off_the_head"] == ["5: off", "7: high"]
    assert content["recording"]["in_the_head"] == ["6: in"]
    assert content["recording"]["without_tracking"] == ["lost"]
    assert content["transform"]["identity"] is True
    assert content["statistics"][0]["median"] == session.statistics[0].median
    assert content["statistics"][0]["share_near_optimum"] == session.statistics[0].share_near_optimum
    assert "not a medical device" in content["what"]


def test_targets_of_one_name_keep_their_columns_apart(solver, coil, targets, optimum):
    twice = simulate_session(solver, coil, [recorded(optimum)], [targets[0], targets[0]])
    row = twice.as_dict()["pulses"][0]
    assert row["wide (1): |E| V_per_m_per_A_us"] == row["wide (2): |E| V_per_m_per_A_us"]


def test_a_folder_is_written_whole_or_not_at_all(session, tmp_path, monkeypatch):
    from efield.session import figure

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(figure, "save_figure", full)
    with pytest.raises(OSError, match="No space left"):
        session.save(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_old_folder_is_kept(session, tmp_path):
    (tmp_path / "notes.txt").write_text("precious")
    with pytest.raises(ValueError, match=r"folder must be new or empty; got .*, which holds files"):
        session.save(tmp_path, figure=False)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(ValueError, match="folder must be a folder; got the file"):
        session.save(tmp_path / "notes.txt", figure=False)
    (tmp_path / "empty").mkdir()
    session.save(tmp_path / "empty", figure=False)
    assert (tmp_path / "empty" / "session.csv").exists()


@pytest.mark.parametrize("compared", [True, False])
def test_the_figure_is_drawn(session, tmp_path: Path, compared: bool):
    """With an optimum and without, with times and without, on a head without landmarks."""
    from matplotlib.image import imread

    shown = session
    if not compared:
        pulses = tuple(dataclasses.replace(pulse, time=None) for pulse in session.pulses)
        shown = dataclasses.replace(
            session,
            recording=Recording("visor2", pulses),
            optimum=None,
            optimum_vectors=None,
            optimum_gap=None,
        )
    shown.save(tmp_path / "out")
    image = imread(tmp_path / "out" / "figure.png")
    assert image.shape[:2] == (1240, 2000)
    # The map shows the pulses in viridis: colours that are neither grey nor the marks' red.
    area = image[100:1100, 30:880, :3]
    assert (np.ptp(area, axis=2) > 0.25).mean() > 1e-3


# --------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"poses": []}, ValueError, "poses must hold at least one recorded pose; got none."),
        ({"poses": [np.eye(4)]}, TypeError, "poses must be efield.navigation.RecordedPose; got ndarray."),
        ({"targets": []}, ValueError, "targets must hold at least one target; got none."),
        ({"targets": ["m1-hand"]}, TypeError, "targets must be efield.Target; got str."),
        ({"solver": None}, TypeError, "solver must be an efield.BemSolver; got NoneType."),
        ({"coil": "eight"}, TypeError, "coil must be a coils.Coil; got str."),
        ({"stimulator": "MagPro"}, TypeError, "stimulator must be a coils.Stimulator or None; got str."),
        ({"stimulator": Stimulator("x")}, ValueError, "stimulator must have a max_didt, dI/dt at 100 %; got None"),
        ({"transform": np.eye(3)}, ValueError, "transform must be a rigid motion, 4 x 4, in millimetres; got one"),
        ({"transform": 0.001 * np.eye(4)}, ValueError, "transform must be a rigid motion.*last row"),
        ({"transform": np.diag([2.0, 2, 2, 1])}, ValueError, "transform must be a rigid motion.*must not scale"),
        ({"transform": np.diag([-1.0, 1, 1, 1])}, ValueError, "transform must be a rigid motion.*right-handed"),
        ({"transform": np.full((4, 4), np.nan)}, ValueError, "transform must be a rigid motion.*finite"),
        ({"transform": "T.txt"}, ValueError, "transform must be a rigid motion.*array of numbers"),
        ({"optimum": np.eye(4)}, TypeError, "optimum must be an efield.SearchResult or a meshes.Pose; got ndarray."),
        ({"optimum": Pose(np.eye(4))}, ValueError, "optimum must be a pose on the head; got one that is in the head"),
        (
            {"optimum": Pose.from_axes((0, 0, 400), z=(0, 0, -1), y=(0, 1, 0))},
            ValueError,
            "optimum must be a pose on the head; got one that is off the head, casing 310 mm from the scalp",
        ),
        (
            {"poses": [recorded(Pose.from_axes((0, 0, 400), z=(0, 0, -1), y=(0, 1, 0)))]},
            ValueError,
            r"got 1, of which 1 are more than 30 mm off the scalp \(the nearest 310 mm\).*give transform=",
        ),
    ],
)
def test_bad_sessions_get_a_sentence(solver, coil, targets, optimum, change, error, sentence):
    arguments = {"solver": solver, "coil": coil, "poses": [recorded(optimum)], "targets": targets} | change
    with pytest.raises(error, match=sentence) as caught:
        simulate_session(**arguments)
    assert "\n" not in str(caught.value)
