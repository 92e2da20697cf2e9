"""The page about a result: self-contained, valid, escaped, and with no number that its JSON lacks."""

import ast
import base64
import html.parser
import inspect
import io
import json
import os
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

import coils
import efield
import efield.dose
import meshes
from efield import page
from efield.page import pictures

ON_AXES = {"nasion": (0, 90, 0), "inion": (0, -90, 0), "lpa": (-90, 0, 0), "rpa": (90, 0, 0)}


@pytest.fixture(scope="module")
def result(small_result):
    """A coarse search over a region of the small head, which gets landmarks."""
    source = "the small head's own region"
    head = replace(small_result.head, fiducials=ON_AXES)
    return replace(small_result, head=head, targets=(replace(small_result.target, source=source),))


@pytest.fixture(scope="module")
def built(result):
    return page.build(
        result, problem="No picture: there is no OpenGL here.", command="efield target m1-hand --side left"
    )


def png(width=40, height=30, *, noise=None):
    from PIL import Image

    pixels = np.full((height, width, 3), 200, dtype=np.uint8)
    if noise is not None:
        pixels = noise.integers(0, 256, size=pixels.shape, dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


class Strict(html.parser.HTMLParser):
    """A reader of HTML that insists: every element closed in order, no attribute twice, no id twice."""

    VOID = frozenset({"meta", "img", "br", "hr", "link", "input"})

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.elements, self.text = [], set(), [], []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice"
        values = dict(attrs)
        assert values.get("id") not in self.ids, f"id {values.get('id')} twice"
        self.ids |= {values["id"]} if "id" in values else set()
        self.elements.append((tag, values, tuple(self.open)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data):
        if not {"style", "title"} & set(self.open):
            self.text.append((tuple(self.open), data))


def read(text):
    parser = Strict()
    parser.feed(text)
    parser.close()
    assert not parser.open, f"never closed: {parser.open}"
    return parser


def numbers_of(data):
    """All numbers of plain data, those in lists and mappings too."""
    if isinstance(data, bool):
        return []
    if isinstance(data, int | float):
        return [float(data)]
    if isinstance(data, dict):
        return [number for value in data.values() for number in numbers_of(value)]
    return [number for value in data for number in numbers_of(value)] if isinstance(data, list) else []


def test_the_page_is_valid_and_needs_nothing_else(built):
    parser = read(built.html)
    assert built.html.startswith("<!DOCTYPE html>\n<html lang=")
    assert not [tag for tag, *_ in parser.elements if tag in {"script", "link", "iframe", "object", "base"}]
    for tag, values, _ in parser.elements:
        for name, value in values.items():
            assert not name.startswith("on"), f"{tag} has a script in {name}"
            if name in {"src", "href", "srcset", "poster", "data"}:
                assert value.startswith(("data:", "#")), f"{tag} needs {value[:60]}"
    assert re.findall(r"https?://[^\"' )]+", built.html) == [
        "http://www.w3.org/2000/svg"
    ]  # the name of SVG, no address
    assert not re.search(r"@import|url\((?!#)", built.html.replace('clip-path="url(#frame)"', ""))
    assert {"viewport"} <= {values.get("name") for tag, values, _ in parser.elements if tag == "meta"}
    assert "@media print" in built.html


def test_html5lib_finds_no_error(built):
    html5lib = pytest.importorskip("html5lib")
    html5lib.HTMLParser(strict=True, tree=html5lib.getTreeBuilder("etree")).parse(built.html)


def unknown_numbers(text, data):
    """Numbers of a page that round none of the JSON's own numbers (not its texts), and how many do."""
    known = np.array(numbers_of({key: value for key, value in data.items() if key != "page"}))
    # Percent, A/us, cm; negative numbers are printed with words such as "to the right".
    known = np.abs(np.concatenate([known, 100.0 * known, 1e-6 * known, 0.1 * known]))
    # What has digits but is no number: names, versions, checksums, sources.
    fixed = [*data["provenance"].values(), *data["provenance"], data["dose"]["stimulator"]]
    fixed += [error["name"] for error in data["dose"]["sources_of_error"]]
    fixed += [error["source"] for error in data["dose"]["sources_of_error"]]
    fixed += [coils.stimulator_for(data["dose"]["coil"]).source, data["search"]["certificate"]["means"].rstrip(".")]
    fixed += [data["field_at_1_A_per_us"]["cortex_peak_is"], data["page"]["subtitle"], data["target"]["name"]]
    fixed += [f"{entry['surface']} surface" for entry in data["conductivities"]]
    unknown, checked = [], 0
    for path, shown in read(text).text:
        if {"pre", "ul"} & set(path):  # the matrix, the command and the caveats have tests of their own
            continue
        for gone in sorted(map(str, fixed), key=len, reverse=True):
            shown = shown.replace(gone, " ")
        # Clocks, positions of the 10-10 system, and the words of the page itself.
        shown = re.sub(
            r"\b\d{1,2}:\d\d\b|12 o'clock|1 A/µs|10-10|10-20|20 mm$|\b[A-Z][A-Za-z]{0,2}\d{1,2}\b", " ", shown
        )
        for token in re.findall(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?", shown):
            mantissa, _, power = token.partition("e")
            unit = 10.0 ** (int(power or 0) - len(mantissa.partition(".")[2]))
            checked += 1
            if np.abs(known - float(token)).min() > 0.5000001 * unit + 1e-12:
                unknown.append((token, shown))
    return unknown, checked


def test_every_number_of_the_page_is_in_its_json(built):
    unknown, checked = unknown_numbers(built.html, json.loads(json.dumps(built.as_dict())))
    assert not unknown
    assert checked > 60


def test_a_number_that_the_json_lacks_would_be_found(result):
    strange = page.Section("Strange", {"Field": "77.7123 V/m"})
    built = page.build(result, sections=[strange])
    assert [token for token, _ in unknown_numbers(built.html, built.as_dict())[0]] == ["77.7123"]


def test_the_json_holds_the_summary_and_all_texts(built, result):
    data = built.as_dict()
    own = result.as_dict(field=60.0)
    for key, value in own.items():
        if isinstance(value, dict):
            assert value.items() <= data[key].items(), key
        else:
            assert data[key] == value
    shown = " ".join(text for _, text in read(built.html).text)
    for section in data["page"]["sections"]:
        for row in section["rows"]:
            assert row["name"] in shown
            assert row["text"] in shown
    for sentence in data["in_words"]["sentences"].values():
        assert sentence in shown
    for caveat in data["page"]["caveats"]:
        assert caveat in shown


def test_the_matrix_can_be_copied(built, result):
    text = next(text for path, text in read(built.html).text if path[-1:] == ("pre",))
    matrix = meshes.Pose(ast.literal_eval(text)).matrix
    np.testing.assert_allclose(matrix, result.pose.matrix, atol=1e-6)


def test_python_that_repeats_it_asks_for_the_same(result, monkeypatch):
    """Without a command line the page shows Python: it runs, and calls `optimize` as it was called."""
    code = page.build(result).command
    asked = {}
    monkeypatch.setattr(meshes, "load_head", lambda _, **__: result.head)
    monkeypatch.setattr(efield, "BemSolver", lambda head: head)
    monkeypatch.setattr(efield, "optimize", lambda *given, **options: asked.update(given=given, **options))
    exec(compile(code, "page", "exec"), {})
    head, coil, targets = asked.pop("given")
    assert (head is result.head, coil.checksum) == (True, result.coil.checksum)
    assert asked == {"distance": 4.0, "radius": 8.0, "spacing": 8.0, "angle_step": 15.0, "tilt": 0.0}
    np.testing.assert_allclose(targets[0].position, result.target.position, atol=1e-3)
    assert targets[0].radius == result.target.radius


def test_names_are_escaped(result):
    evil = '<script>alert("x")</script>\'"&'
    named = replace(
        result,
        head=replace(result.head, name=evil),
        targets=(replace(result.target, name=evil, source=evil),),
    )
    parts = [page.Section(evil, [(evil, evil)], text=evil, picture=png(), alt=evil)]
    text = page.build(named, sections=parts, command=evil, problem=evil, figure=png()).html
    parser = read(text)
    assert not [tag for tag, *_ in parser.elements if tag == "script"]
    assert "<script" not in text
    assert "alert(" in text
    assert [values["alt"] for tag, values, _ in parser.elements if tag == "img"][-1] == evil
    assert [shown for path, shown in parser.text if path[-1:] == ("pre",)][-1] == evil


def test_names_of_positions_are_escaped_in_the_drawing(result):
    known = {name: spot for name, spot in meshes.positions_10_10(result.head).items() if name != "C1"}
    known["<script>C1"] = meshes.positions_10_10(result.head)["C1"]
    built = page.build(result, positions=known)
    assert "&lt;script&gt;C1" in built.drawing
    assert not [tag for tag, *_ in read(built.html).elements if tag == "script"]


def test_without_a_picture_the_page_says_why(built, result):
    assert "No picture: there is no OpenGL here." in built.html
    assert "<img" not in built.html
    assert built.as_dict()["page"]["problem"] == "No picture: there is no OpenGL here."
    assert "No figure was asked for." in page.build(result).html


def test_pictures_are_inside_with_their_words(result, tmp_path):
    (tmp_path / "figure.png").write_bytes(png())
    section = page.Section(
        "Robustness", {"Expected": "96 %"}, picture=png(20, 20), alt="Map of the loss.", data={"share": 0.96}
    )
    built = page.build(result, figure=tmp_path / "figure.png", sections=[section])
    images = [values for tag, values, _ in read(built.html).elements if tag == "img"]
    assert [image["alt"] for image in images][1] == "Map of the loss."
    assert "cortex" in images[0]["alt"]
    for image, original in zip(images, (png(), png(20, 20)), strict=True):
        kind, _, content = image["src"].partition(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(content) == original
    assert [path[-1] for tag, _, path in read(built.html).elements if tag == "img"] == ["div", "figure"]
    assert {"share": 0.96} in [part["data"] for part in built.as_dict()["page"]["sections"]]
    assert (
        built.html.index("Output for the wanted field")
        < built.html.index("Robustness")
        < built.html.index("Provenance")
    )


def test_the_page_stays_below_five_megabytes(result, rng):
    from PIL import Image

    large = png(1600, 1200, noise=rng)  # noise cannot be compressed
    assert len(large) > 5e6
    parts = [page.Section(f"Part {k}", picture=large, alt="Noise.") for k in range(2)]
    text = page.build(result, figure=png(), sections=parts).html
    assert len(text.encode()) < 5_000_000
    images = [values["src"] for tag, values, _ in read(text).elements if tag == "img"]
    wide = [path[-1] for tag, _, path in read(text).elements if tag == "img"]
    assert wide == ["div", "div", "div"]  # which scroll sideways on a narrow screen
    assert [image.split(";")[0] for image in images] == ["data:image/png", "data:image/jpeg", "data:image/jpeg"]
    with Image.open(io.BytesIO(base64.b64decode(images[1].partition(",")[2]))) as opened:
        assert opened.size[0] / opened.size[1] == pytest.approx(4 / 3, abs=0.01)
        assert opened.size[0] > 300


def test_transparent_pictures_become_white_paper():
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(buffer, format="PNG")
    uri = pictures.data_uris([buffer.getvalue()], most=10)[0]
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as opened:
        assert np.asarray(opened).min() > 250


def test_written_whole_or_not_at_all(built, tmp_path, monkeypatch):
    built.write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "summary.json"]
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == built.html
    assert json.loads((tmp_path / "summary.json").read_text(encoding="utf-8")) == json.loads(
        json.dumps(built.as_dict())
    )

    empty = tmp_path / "empty"
    empty.mkdir()

    def fails(*_, **__):
        raise OSError("no space left on the device")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="no space left"):
        built.write(empty)
    assert not list(empty.iterdir())


def test_what_cannot_be_written_or_built_is_told(built, result, tmp_path):
    with pytest.raises(FileNotFoundError, match="folder must exist"):
        built.write(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="must be the bytes of a PNG file"):
        page.build(result, figure=b"JFIF")
    with pytest.raises(ValueError, match=r"sections must hold page\.Section; got dict"):
        page.build(result, sections=[{"title": "x"}])
    with pytest.raises(ValueError, match="title must be a heading"):
        page.Section("  ")
    with pytest.raises(ValueError, match="rows of 'x' must be pairs of texts"):
        page.Section("x", [("a", 1.0)])
    with pytest.raises(ValueError, match="alt of 'x' must say"):
        page.Section("x", picture=png())
    with pytest.raises(ValueError, match="field must be"):
        page.build(result, field=-1.0)


SVG = "{http://www.w3.org/2000/svg}"


def spots_of(drawing):
    """Names of the map and where they stand: x to the right, y down."""
    return {
        text.text: (float(text.get("x")), float(text.get("y")))
        for text in ET.fromstring(drawing).iter(f"{SVG}text")
        if text.get("class") == "name"
    }


def test_the_map_is_seen_from_outside_with_the_nose_up(built, result):
    root = ET.fromstring(built.drawing)
    assert root.get("role") == "img"
    assert "the nose up" in root.get("aria-label")
    spots = spots_of(built.drawing)
    # From outside and above, the nose up: the head's left is on the left.
    assert spots["C3"][0] < spots["C1"][0] < spots["Cz"][0]
    assert spots["FC1"][1] < spots["C1"][1] < spots["CP1"][1]
    # The coil's centre is in the middle of 400 units: distances from there are those on the head.
    bar = next(path for path in root.iter(f"{SVG}path") if "M12.0 388.0h" in path.get("d"))
    per_mm = float(bar.get("d").split("h")[1]) / 20.0
    point, pose = built.words.point, result.pose
    for name, (x, y) in spots.items():
        away = meshes.positions_10_10(result.head)[name] - point
        flat = away - (away @ pose.z_axis) * pose.z_axis
        assert np.hypot(x - 200.0, y + 7.0 - 200.0) == pytest.approx(per_mm * np.linalg.norm(flat), abs=0.2)
    dots = [circle for circle in root.find(f"{SVG}g").find(f"{SVG}g").iter(f"{SVG}circle")]
    assert len(dots) == len(result.table["value"])
    values, low = result.table["value"], result.table["value"].min()
    brightest = dots[int(values.argmax())].get("fill")
    assert brightest == "#fee838"
    assert dots[int(values.argmin())].get("fill") == "#00224e"
    assert f"{low:#.3g}" in built.drawing


def test_two_targets_are_both_told(result):
    right = efield.Target(position=result.target.position * (-1.0, 1.0, 1.0), name="m1-hand", side="right", radius=12.0)
    both = replace(
        result,
        targets=(result.target, right),
        patches=(result.patch, right.on(result.head)),
        vectors_at_targets=np.stack([result.vector_at_target, 0.25 * result.vector_at_target]),
        reciprocal_vectors=np.stack([result.reciprocal_vector, 0.25 * result.reciprocal_vector]),
    )
    built = page.build(both)
    rows = {row["name"]: row["text"] for part in built.as_dict()["page"]["sections"] for row in part["rows"]}
    assert rows["At m1-hand left"] == f"{result.field_at_target:#.4g} V/m at 1 A/µs"
    assert rows["At m1-hand right"] == f"{0.25 * result.field_at_target:#.4g} V/m at 1 A/µs"
    assert rows["|E| at the targets, the least"] == rows["At m1-hand right"]
    assert "Also m1-hand right" in rows
    assert built.title == "Coil placement for m1-hand left and right"
    rings = [c for c in ET.fromstring(built.drawing).iter(f"{SVG}circle") if c.get("r") == "7"]
    assert len(rings) == 2
    assert not unknown_numbers(built.html, built.as_dict())[0]


def test_positions_where_the_coil_cannot_go_are_left_out(result):
    values = result.table["value"].copy()
    values[:2] = np.nan, -np.inf
    table = {**result.table, "value": values}
    built = page.build(replace(result, table=table))
    dots = list(ET.fromstring(built.drawing).find(f"{SVG}g").find(f"{SVG}g").iter(f"{SVG}circle"))
    assert len(dots) == len(values) - 2
    json.dumps(built.as_dict(), allow_nan=False)
    nowhere = page.build(replace(result, table={**table, "value": np.full_like(values, np.nan)}))
    assert nowhere.as_dict()["search"]["least_value_of_a_position"] is None
    read(nowhere.html)


def test_a_wanted_direction_is_told(result):
    built = page.build(replace(result, targets=(replace(result.target, direction=result.vector_at_target),)))
    rows = {row["name"]: row["text"] for part in built.as_dict()["page"]["sections"] for row in part["rows"]}
    assert rows["Wanted"].startswith("E along (")
    assert rows["E along the wanted direction at the target"].startswith(f"{result.field_at_target:#.4g} V/m")
    assert not unknown_numbers(built.html, built.as_dict())[0]


def test_a_head_without_landmarks_gets_a_page_too(result, small_head):
    built = page.build(replace(result, head=small_head))
    assert "No 10-20 landmarks on this head" in built.html
    assert not spots_of(built.drawing)
    read(built.html)


def test_a_coil_without_a_measured_stimulator_gets_its_didt_alone(result):
    built = page.build(replace(result, coil=replace(result.coil, name="home-made", max_didt=None, stimulator=None)))
    assert "no stimulator known with home-made" in built.html
    data = built.as_dict()["dose"]
    assert data["stimulator"] is None
    assert data["didt_A_per_s"] == pytest.approx(60.0 / result.field_at_target * 1e6)


def test_what_tells_itself_becomes_a_section(result):
    dose = efield.dose.dose_of(result, field=77.0)
    section = page.Section.of("Another field", dose, text="As asked.")
    built = page.build(result, sections=[section])
    rows = next(part for part in built.as_dict()["page"]["sections"] if part["title"] == "Another field")["rows"]
    assert {"name": "Field at the target", "text": dict(dose.lines())["Field at the target"]} in rows
    assert section.data["field_V_per_m"] == 77.0
    assert "77.0 V/m" in built.html


def test_too_much_is_called_too_much(result):
    built = page.build(result, field=1000.0)
    share = built.as_dict()["dose"]["mso_percent"]
    assert share == pytest.approx(100.0 * result.didt_for(1000.0) / coils.stimulator_for("magstim-70mm").max_didt)
    assert share > 100.0
    assert "the pair CANNOT reach it" in built.html


def test_it_reads_as_research_and_as_no_advice(built):
    shown = " ".join(text for _, text in read(built.html).text)
    assert "not a medical device" in shown
    assert "One head model stands for one head" in shown
    assert not re.search(r"recommend|should be treated|is safe|approved|clinically", shown, re.IGNORECASE)


def test_build_takes_what_the_documentation_says():
    assert list(inspect.signature(page.build).parameters) == [
        "result", "field", "figure", "problem", "sections", "dose", "warnings", "command", "positions",
    ]  # fmt: skip
