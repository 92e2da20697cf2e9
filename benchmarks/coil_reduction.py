"""Count the dipoles that stand for each coil against their error, and compute the coils' inductances.

    python benchmarks/coil_reduction.py                       # all named coils
    python benchmarks/coil_reduction.py magstim-70mm a.ccd    # these; files by `coils.read_coil`
    python benchmarks/coil_reduction.py --markdown            # the README's tables
    python benchmarks/coil_reduction.py --errors 0.05 0.01    # other errors
    python benchmarks/coil_reduction.py --quick               # a small coil and one error

The error is the greatest difference of the vector potential from that of the windings (for measured coils: of all their
dipoles), over its greatest value, on the closed surface 10 mm around the windings; the maximum principle makes it a
bound everywhere further out. Numbers in brackets hold on the part of the surface that faces the head only. "as built"
counts the dipoles that come with the coil, whose error is that on a plane 10 mm below. About a minute per coil on one
core; --errors 0.05 0.01 takes a third.
"""

import argparse
import time
from pathlib import Path

from coils import Coil, list_coils, load_coil
from coils.inductance import inductance
from coils.reduction import reduce_dipoles

ERRORS = (0.05, 0.01, 0.001)

# Measured coil outside the project, taken along if it is there.
D70 = Path(__file__).parents[2] / "shared/data/formats/MagStim_D70.ccd"

# Recalled from Magstim's guide, not confirmed (uH); the windings alone are computed, without leads and cable.
GUIDE = {"magstim-70mm": 16.35, "magstim-90mm-circular": 23.47, "magstim-double-cone": 17.92}


def coil_of(name: str) -> Coil:
    """Build a named coil or read a file."""
    if name in list_coils():
        return load_coil(name)
    from coils.files import read_coil

    return read_coil(Path(name))


def counts(coil: Coil, errors: tuple[float, ...]) -> list[str]:
    """Reduce to each error, around and on the head's side."""
    cells = []
    for error in errors:
        pair = []
        for head_side in (False, True):
            try:
                pair.append(str(reduce_dipoles(coil, max_error=error, head_side=head_side).n_dipoles))
            except ValueError as problem:
                pair.append(f"none ({str(problem).split(',')[0].removeprefix('max_error must be ')})")
        cells.append(f"{pair[0]} ({pair[1]})")
    return cells


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("coils", nargs="*", help="names of coils or files; all named coils by default")
    parser.add_argument("--errors", nargs="+", type=float, default=list(ERRORS), help="wanted errors at 10 mm")
    parser.add_argument("--markdown", action="store_true", help="print tables for the README")
    parser.add_argument("--quick", action="store_true", help="one small coil, 5 %%, to see that it runs")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.coils, arguments.errors = ["magstim-25mm"], [0.05]
    names = arguments.coils or [*list_coils(), *([str(D70)] if D70.exists() else [])]
    errors = tuple(arguments.errors)
    bar, edge = ("|", "| ") if arguments.markdown else ("  ", "")
    head = ["coil", "as built", *[f"{error:.2g}".rstrip("0") if error < 1e-3 else f"{error:.1%}" for error in errors]]
    head += ["inductance uH", "guide [recalled] uH"]
    print(edge + f" {bar} ".join(head))
    if arguments.markdown:
        print("|---|" + "---:|" * (len(head) - 1))
    for name in names:
        coil = coil_of(name)
        start = time.perf_counter()
        cells = [Path(name).stem, str(coil.n_dipoles), *counts(coil, errors)]
        cells.append(f"{1e6 * inductance(coil):.1f}" if coil.wires else "")
        cells.append(f"{GUIDE[name]:.2f}" if name in GUIDE else "")
        line = edge + f" {bar} ".join(cells)
        print(line if arguments.markdown else f"{line}   ({time.perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
