"""Coil models: windings, dipoles, casings, named coils. No heads, no solver; positions in mm, coil frame."""

from coils.coil import Coil, Wire
from coils.named import list_coils, load_coil
from coils.segments import Segments
from coils.shapes import circular, figure_of_eight

__all__ = ["Coil", "Segments", "Wire", "circular", "figure_of_eight", "list_coils", "load_coil"]
