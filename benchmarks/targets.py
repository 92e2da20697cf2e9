"""All named targets, both sides, both heads, two coils: where to put the coil, which way round, how strong.

The README's table of 32 runs. Coils 4 mm off the scalp, standard heads::

    python benchmarks/targets.py                 # about half an hour on two cores
    python benchmarks/targets.py --quick         # one target on the fast head, coarse grid
"""

import argparse
import time

import numpy as np

import coils
import efield
import meshes
from efield.dose import dose_of
from efield.targeting.words import pose_in_words

TARGETS = ("m1-hand", "m1-leg", "s1-hand", "s1-leg")
SIDES = ("left", "right")
HEADS = ("pycortex", "fsaverage")
COILS = ("magstim-70mm", "magstim-double-cone")
HEADER = (
    "| head | target | coil | coil centre on the scalp | current to the sulcus' normal | handle to the midline | depth "
    "| V/m per A/µs | %MSO for 60 V/m | gap | search to direct | s |"
)


def row(result: efield.SearchResult, seconds: float) -> str:
    """Return one line of the table."""
    words = pose_in_words(result.head, result.coil, result.pose)
    dose = dose_of(result, field=60.0)
    angle = result.angle_to_sulcus
    across = "on the crown" if np.isnan(angle) else f"{angle:.0f}°"
    output = "no pair" if dose.mso is None else f"{dose.mso:.0f}"
    return (
        f"| {result.head.name} | {result.name} | {result.coil.name} | {words.short} | {across} "
        f"| {result.angle_to_midline:.0f}° | {result.target_depth:.1f} mm | {result.field_at_target:.2f} | {output} "
        f"| {100.0 * result.certificate.gap:.2g} % | {100.0 * result.search_error:.2g} % | {seconds:.0f} |"
    )


def main() -> None:
    """Print one row per run, each as soon as it is known."""
    parser = argparse.ArgumentParser(description="All named targets on both heads with two coils.")
    parser.add_argument("--quick", action="store_true", help="one run on the fast head, as a smoke test")
    arguments = parser.parse_args()
    quick = arguments.quick
    print(HEADER)
    print("|---|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    failed = 0
    for head_name in HEADS[:1] if quick else HEADS:
        head = meshes.load_head(head_name, resolution="fast" if quick else "standard")
        solver = efield.BemSolver(head)
        for name in TARGETS[:1] if quick else TARGETS:
            for side in SIDES[:1] if quick else SIDES:
                target = efield.Target.named(name, head, side=side)
                for coil_name in COILS[:1] if quick else COILS:
                    # A bent coil costs a look-up for each of its 1142 dipoles in every pose.
                    bent = coil_name == COILS[1]
                    grid = {"spacing": 4.0, "angle_step": 10.0} if quick or bent else {}
                    began = time.perf_counter()
                    try:
                        result = efield.optimize(solver, coils.load_coil(coil_name), target, **grid)
                        print(row(result, time.perf_counter() - began), flush=True)
                    except (ValueError, RuntimeError) as error:
                        failed += 1
                        print(f"| {head_name} | {name} {side} | {coil_name} | FAILED: {error} |", flush=True)
    runs = 1 if quick else len(HEADS) * len(TARGETS) * len(SIDES) * len(COILS)
    print(f"\n{runs - failed} of {runs} runs succeeded")
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
