"""The tables of the page: names and texts of what was asked and found, each from the numbers that go into the JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from efield.page.sections import Section
from efield.targeting.target import list_targets
from meshes import HeadModel

if TYPE_CHECKING:
    from efield.dose import Dose
    from efield.targeting.words import PoseInWords

__all__ = [
    "CAVEATS",
    "accuracy",
    "conductivities_of",
    "dose",
    "found",
    "pose",
    "provenance",
    "search",
    "target",
]

Data = Mapping[str, Any]

CAVEATS = (
    "Research software, not a medical device. Nothing here is medical advice, a treatment plan or a clearance for use "
    "in a person: that is for those who are responsible for the person, with the safety rules of their institution.",
    "One head model stands for one head. In another person the best placement lies elsewhere: measure on that person, "
    "or build that person's head model.",
    "Conductivities are taken from tables; between people and between tables they differ by tens of percent, and the "
    "field with them. The error estimate does not hold this.",
    "The electric field is not the physiological effect. Thresholds depend on the pulse, on the state of the brain, on "
    "medication and on much else that is not modelled.",
    "Positions of the 10-20 system are as good as the four landmarks of the head: a preauricular point that is a "
    "centimetre off moves C3 by more than half of that.",
)
"""What every reader has to know."""


def point(position: Any) -> str:
    """Say a position in mm."""
    return "({:.1f}, {:.1f}, {:.1f}) mm".format(*(np.round(np.asarray(position), 1) + 0.0))


def direction(vector: Any) -> str:
    """Say a unit vector."""
    return "({:.3f}, {:.3f}, {:.3f})".format(*(np.round(np.asarray(vector), 3) + 0.0))


def target(data: Data) -> Section:
    """Say where the field is wanted."""
    goal = data["target"]
    about = list_targets().get(goal["name"], "")
    rows = [
        ("Place", f"{_name(goal)}: {about}" if about else _name(goal)),
        ("Position", f"{point(goal['position_mm'])}, {goal['depth_mm']:.1f} mm under the scalp"),
    ]
    rows += [(f"Also {_name(entry)}", point(entry["position_mm"])) for entry in data["targets"][1:]]
    rows += [
        ("Cortex averaged over", _patch(goal)),
        (
            "Wanted",
            "magnitude of E" if goal["direction"] is None else f"E along {direction(goal['direction'])}",
        ),
    ]
    if goal["normal"] is not None:
        rows.append(("Outward normal of the cortex", direction(goal["normal"])))
    if "target" in data["provenance"]:
        rows.append(("Found by", data["provenance"]["target"]))
    return Section("Target", tuple(rows))


def _name(goal: Data) -> str:
    return f"{goal['name']} {goal['side']}".strip()


def _patch(goal: Data) -> str:
    if not goal["cortex_mm2"] > 0.0:
        return "none: the field at the point itself"
    return f"{goal['cortex_mm2']:.0f} mm² within {goal['radius_mm']:g} mm"


def pose(data: Data, words: PoseInWords) -> Section:
    """Say where the coil is, in numbers."""
    place = data["pose"]
    sulcus = place["current_to_sulcus_normal_deg"]
    rows = [
        ("Coil's origin", f"{point(place['centre_mm'])}, {words.gap:.1f} mm from the scalp along its axis"),
        ("Scalp under it", point(words.point)),
        ("Casing to scalp", f"{place['casing_to_scalp_along_axis_mm']:.1f} mm along the coil's axis, as asked"),
        (
            "Handle",
            f"{direction(place['handle'])}; {place['handle_to_midline_deg']:.0f}° to the front-back axis of the "
            "coordinates, seen from above",
        ),
        ("Induced field", f"{direction(place['current_direction'])} {words.current_at}, for rising current"),
        ("Tilt", f"{words.tilt:.1f}° from the scalp's normal (smoothed over a patch)"),
    ]
    if sulcus is not None:
        rows.append(("Current to the normal of the sulcus' wall", f"{sulcus:.0f}°"))
    return Section("Pose", tuple(rows))


def found(data: Data) -> Section:
    """Say the field at the target and elsewhere."""
    field = data["field_at_1_A_per_us"]
    what = "|E|" if data["target"]["direction"] is None else "E along the wanted direction"
    rows = [(f"{what} at the target", f"{field['at_target_V_per_m']:#.4g} V/m at 1 A/µs")]
    normal = field["normal_at_target_V_per_m"]
    if normal is not None:
        flow = "into" if normal < 0.0 else "out of"
        rows.append(("Across the cortex there", f"{abs(normal):#.3g} V/m at 1 A/µs, {flow} the cortex"))
    if len(data["targets"]) > 1:  # the first row is the least of them
        rows[0] = (f"{what} at the targets, the least", rows[0][1])
        rows += [
            (f"At {_name(entry)}", f"{entry['field_V_per_m_at_1_A_per_us']:#.4g} V/m at 1 A/µs")
            for entry in data["targets"]
        ]
    rows += [
        (
            "Peak on the cortex",
            f"{field['cortex_peak_V_per_m']:#.4g} V/m at 1 A/µs ({field['cortex_peak_is']}), at "
            f"{point(field['cortex_peak_mm'])}, {field['cortex_peak_to_target_mm']:.1f} mm from the target",
        ),
        ("Target's share of the peak", f"{100.0 * field['target_share_of_peak']:.0f} %"),
        ("Greatest at any vertex", f"{field['cortex_maximum_V_per_m']:#.4g} V/m at 1 A/µs"),
    ]
    return Section("Field", tuple(rows))


def dose(wanted: Dose) -> Section:
    """Say which rate of change of the current gives the wanted field, and what of the stimulator's output that is."""
    told = Section.of("Output for the wanted field", wanted)
    rows = list(told.rows)
    if wanted.stimulator is not None and wanted.stimulator.source:
        rows.insert(4, ("Full output from", wanted.stimulator.source))
    text = "The output at which the model reaches the wanted field. It is neither a motor threshold nor advice."
    return Section(told.title, tuple(rows), text=text, data=told.data)


def _percent(share: float) -> str:
    value = 100.0 * share
    return f"{value:.2g} %" if value < 99.5 else f"{value:.0f} %"


_SETTINGS = {
    "distance_mm": ("Distance, casing to scalp", "mm"),
    "radius_mm": ("Positions within", "mm of the scalp over the target"),
    "spacing_mm": ("Spacing of the positions", "mm"),
    "angle_step_deg": ("Step of the angles", "degrees"),
    "tilt_deg": ("Tilt up to", "degrees"),
}


def search(data: Data) -> Section:
    """Say what was tried, and how sure it is that nothing better is left."""
    tried = data["search"]
    rows = [("Made greatest", tried["maximised"]), ("Its value here", f"{tried['score']:#.4g}, by the search")]
    rows += [(name, f"{tried[key]:g} {unit}") for key, (name, unit) in _SETTINGS.items() if key in tried]
    rows += [
        ("Positions tried", f"{tried['positions']}, each at all angles"),
        ("Placements evaluated", f"{tried['certificate']['placements']}"),
        ("Another could be better by at most", _percent(tried["certificate"]["gap"])),
    ]
    return Section("Search", tuple(rows), text=f"{tried['certificate']['means'].rstrip('.')}.")


def accuracy(data: Data) -> Section:
    """Say what the discretisation and the solver leave."""
    errors = data["error_estimate"]
    rows = (
        ("Discretisation", f"{_percent(errors['relative_error'])} of E on the cortex, within a factor of three"),
        ("Linear system", f"relative residual {errors['residual']:.1e} after {errors['iterations']:.0f} iterations"),
        ("Search against direct solution", f"{_percent(errors['search_against_direct'])} at the target"),
        ("Charge balance", f"{errors['charge_imbalance']:.1e} of the charge of a surface"),
        ("Flux of a triangle", f"within {_percent(errors['flux_error'])} before it was corrected"),
        ("Charge left out", f"{_percent(errors['interface_mismatch'])} varies within triangles"),
    )
    text = "Numerical errors only; anatomy, conductivities and the coil's model are not part of them."
    return Section("How accurate", rows, text=text)


def conductivities_of(head: HeadModel) -> list[dict[str, Any]]:
    """Return the conductivities on both sides of each surface (S/m): least and greatest."""
    return [
        {
            "surface": interface.name,
            "inside_S_per_m": [float(interface.sigmas[:, 0].min()), float(interface.sigmas[:, 0].max())],
            "outside_S_per_m": [float(interface.sigmas[:, 1].min()), float(interface.sigmas[:, 1].max())],
        }
        for interface in head.interfaces
    ]


def provenance(data: Data) -> Section:
    """Say what the result depends on."""
    rows = [(name, text) for name, text in data["provenance"].items() if name != "target"]
    for entry in data["conductivities"]:
        inside, outside = (_range(entry[side]) for side in ("inside_S_per_m", "outside_S_per_m"))
        rows.append((f"{entry['surface']} surface", f"{inside} S/m inside, {outside} S/m outside"))
    return Section("Provenance", tuple(rows))


def _range(ends: list[float]) -> str:
    return f"{ends[0]:g}" if ends[0] == ends[1] else f"{ends[0]:g} to {ends[1]:g}"
