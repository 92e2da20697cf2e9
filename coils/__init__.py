"""Coil models: windings, dipoles, casings, files, stimulators. No heads, no solver; positions in mm, coil frame."""

from coils.assembly import Assembly, Deformation, Dipoles, Element
from coils.coil import Coil, Wire
from coils.discharge import Discharge, pulse_energy
from coils.files import read_coil, write_coil
from coils.grid import PotentialGrid
from coils.inductance import inductance, magnetic_energy
from coils.named import Published, list_coils, load_coil, published
from coils.paths import bent, coil_from_wires, mirrored, rectangular_wire, spiral, stacked, tilted, wire_potential
from coils.reduction import reduce_dipoles
from coils.segments import Segments
from coils.shapes import circular, figure_of_eight
from coils.stimulator_pairs import discharge_for, list_stimulator_coils, stimulator_for
from coils.stimulators import Stimulator
from coils.strength_duration import TIME_CONSTANTS, chronaxie, membrane_response, threshold_factor, threshold_ratio
from coils.waveform_files import read_waveform, write_waveform
from coils.waveforms import Waveform, rectangular

__all__ = [
    "TIME_CONSTANTS",
    "Assembly",
    "Coil",
    "Deformation",
    "Dipoles",
    "Discharge",
    "Element",
    "PotentialGrid",
    "Published",
    "Segments",
    "Stimulator",
    "Waveform",
    "Wire",
    "bent",
    "chronaxie",
    "circular",
    "coil_from_wires",
    "discharge_for",
    "figure_of_eight",
    "inductance",
    "list_coils",
    "list_stimulator_coils",
    "load_coil",
    "magnetic_energy",
    "membrane_response",
    "mirrored",
    "published",
    "pulse_energy",
    "read_coil",
    "read_waveform",
    "rectangular",
    "rectangular_wire",
    "reduce_dipoles",
    "spiral",
    "stacked",
    "stimulator_for",
    "threshold_factor",
    "threshold_ratio",
    "tilted",
    "wire_potential",
    "write_coil",
    "write_waveform",
]
