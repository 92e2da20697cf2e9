"""Tissues: ranges and tables with their sources, what is changed by name, and what the provenance says of it."""

import json
from dataclasses import replace

import numpy as np
import pytest

import meshes
from meshes.conductivities import head_tissues, with_conductivities
from meshes.files.archive import write_head
from meshes.tissues import (
    CONDUCTIVITY_TABLES,
    TISSUES,
    ConductivityTable,
    conductivity_choice,
    conductivity_provenance,
    conductivity_table,
)
from tests.test_meshes_files_heads import LIST
from tests.touching_cases import two_halves


@pytest.fixture(scope="module")
def head():
    return meshes.load_head("pycortex")


def sides(head):
    return {i.name: (i.sigma_inside, i.sigma_outside) for i in head.interfaces}


def test_each_value_lies_in_its_range():
    for tissue in TISSUES.values():
        assert tissue.low <= tissue.conductivity <= tissue.high
        assert tissue.range_source
    # As seen in SimNIBS's own example of uncertainty, which cites Saturnino et al. 2019.
    assert (TISSUES["white"].low, TISSUES["white"].high) == (0.1, 0.4)
    assert (TISSUES["grey"].low, TISSUES["grey"].high) == (0.1, 0.6)
    assert (TISSUES["compact_bone"].low, TISSUES["compact_bone"].high) == (0.003, 0.012)
    # What is not from a publication says so.
    for tissue in TISSUES.values():
        if tissue.tag and "assumed" in tissue.range_source:
            assert (tissue.low, tissue.high) == pytest.approx((0.5 * tissue.conductivity, 1.5 * tissue.conductivity))
        elif tissue.tag:
            assert "Saturnino et al. 2019" in tissue.range_source
            assert "recalled" in tissue.range_source or "seen" in tissue.range_source


def test_tables_name_their_sources():
    assert list(CONDUCTIVITY_TABLES) == ["simnibs", "mccann2019", "roast", "fieldtrip", "mne"]
    for name, table in CONDUCTIVITY_TABLES.items():
        assert table.name == name
        assert "seen" in table.source or "TISSUES" in table.source
        assert all(value > 0.0 for value in table.values.values())
        assert set(table.values) <= {*TISSUES, "brain"}
    # Abstract of McCann et al. 2019.
    mccann = {"scalp": 0.41, "skull": 0.02, "spongy_bone": 0.048, "csf": 1.71, "grey": 0.47, "white": 0.22}
    assert CONDUCTIVITY_TABLES["mccann2019"].values == mccann | {"compact_bone": 0.006}
    for name, value in CONDUCTIVITY_TABLES["simnibs"].values.items():
        assert value == TISSUES[name].conductivity


def test_what_goes_before_what():
    """Given by name before the table, the table before the file, the file before the standard value."""
    names, own = ["scalp", "skull", "jelly", "air"], {"skull": 0.02, "jelly": 0.3}
    assert conductivity_table(names, None, own) == {"air": 0.0, "scalp": 0.465, "skull": 0.02, "jelly": 0.3}
    assert conductivity_table(names, "roast", own) == {"air": 0.0, "scalp": 0.465, "skull": 0.01, "jelly": 0.3}
    table = CONDUCTIVITY_TABLES["roast"].with_changes({"skull": 0.5, "jelly": 0.1})
    assert conductivity_table(names, table, own) == {"air": 0.0, "scalp": 0.465, "skull": 0.5, "jelly": 0.1}
    assert CONDUCTIVITY_TABLES["roast"].changes == {}
    line = conductivity_provenance(names, {"jelly": 0.1}, own)
    assert line["conductivities"] == "scalp 0.465 (simnibs), skull 0.02 (file), jelly 0.1 (given) S/m"
    assert json.loads(line["tissues"])["jelly"] == [0.1, "given"]
    mine = ConductivityTable("mine", {"scalp": 0.4, "fat": 0.1}, "measured here")
    assert conductivity_provenance(names, mine, own)["conductivities"].startswith("scalp 0.4 (mine), skull 0.02 (file)")


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        ("nosuch", ValueError, r"^conductivities must be one of 'simnibs', .*; got 'nosuch'"),
        (3.0, TypeError, r"^conductivities must be a table's name, or values \(S/m\) by tissue; got float"),
        ([("skull", 0.01)], TypeError, r"^conductivities must be a table's name, .*; got list"),
    ],
)
def test_choices_that_are_none(value, kind, words):
    with pytest.raises(kind, match=words):
        conductivity_choice(value)


def test_loading_with_a_table(head):
    name = "mccann2019"
    other = meshes.load_head("pycortex", conductivities=name)
    values = CONDUCTIVITY_TABLES[name].values
    names = {value: tissue for tissue, value in meshes.CONDUCTIVITIES.items()}
    for interface, (inside, outside) in sides(other).items():
        old = sides(head)[interface]
        assert inside == values[names[old[0]]]
        assert outside == (values[names[old[1]]] if old[1] else 0.0)
    assert f"skull {values['skull']} ({name})" in other.provenance["conductivities"]
    assert other.checksum != head.checksum
    assert with_conductivities(head, name).checksum == other.checksum
    assert with_conductivities(other, "simnibs").checksum == head.checksum


def test_changes_by_name_after_loading(head):
    table = CONDUCTIVITY_TABLES["mccann2019"].with_changes({"csf": 1.5})
    one = with_conductivities(with_conductivities(head, "mccann2019"), {"csf": 1.5})
    assert one.checksum == meshes.load_head("pycortex", conductivities=table).checksum
    assert one.provenance["conductivities"] == (
        "scalp 0.41 (mccann2019), skull 0.02 (mccann2019), csf 1.5 (given), grey 0.47 (mccann2019), "
        "white 0.22 (mccann2019) S/m"
    )
    assert head_tissues(one) == {"scalp": 0.41, "skull": 0.02, "csf": 1.5, "grey": 0.47, "white": 0.22}
    assert one.provenance["source"] == head.provenance["source"]
    with pytest.raises(ValueError, match=r"^tissue in conductivities must be one of 'scalp', .*; got 'bone'"):
        with_conductivities(head, {"bone": 0.01})


def test_tissues_of_one_value_cannot_be_told_apart(head):
    same = with_conductivities(head, "fieldtrip")  # grey, white and scalp have 0.33 S/m
    with pytest.raises(ValueError, match=r"^tissues of 'pycortex' must have different .*; got scalp and grey, both of"):
        with_conductivities(same, {"grey": 0.2})
    changed = with_conductivities(same, {"scalp": 0.3, "grey": 0.3, "white": 0.3})
    assert sides(changed)["white_lh"] == (0.3, 0.3)


def test_values_that_differ_along_a_surface():
    """Where tissues touch, a side has a conductivity for each triangle; each follows its tissue."""
    halves = two_halves(8, (0.33, 1.2))
    tissues = conductivity_provenance(["upper", "lower"], None, {"upper": 0.33, "lower": 1.2})
    changed = with_conductivities(replace(halves, provenance=tissues), {"lower": 0.5})
    for old, new in zip(halves.interfaces, changed.interfaces, strict=True):
        assert np.array_equal(new.sigmas, np.where(old.sigmas == 1.2, 0.5, old.sigmas))
    assert not changed.interfaces[0].is_uniform


def test_tables_work_for_lists_and_for_kept_heads(tmp_path):
    for name, radius in (("skin.stl", 90), ("skull.off", 84), ("brain.npz", 78)):
        meshes.write_surface(meshes.icosphere(2, radius=radius), tmp_path / name)
    (tmp_path / "head.toml").write_text(LIST)
    one = meshes.read_head(tmp_path / "head.toml", conductivities="mccann2019")
    assert sides(one) == {"skin": (0.41, 0.0), "skull": (0.01, 0.41), "brain": (0.3, 0.01)}
    assert "scalp 0.41 (mccann2019)" in one.provenance["conductivities"]
    assert "jelly 0.3 (file)" in one.provenance["conductivities"]
    write_head(one, tmp_path / "kept.npz")
    two = meshes.read_head(tmp_path / "kept.npz", conductivities={"scalp": 0.5, "jelly": 0.2})
    assert sides(two) == {"skin": (0.5, 0.0), "skull": (0.01, 0.5), "brain": (0.2, 0.01)}
    assert "jelly 0.2 (given)" in two.provenance["conductivities"]
    assert "0.01 S/m 0.01 (file)" in two.provenance["conductivities"]
