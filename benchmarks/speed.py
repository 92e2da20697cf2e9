"""Measure accuracy, speed and memory of the solver: tables, JSON and a picture from one command.

    python benchmarks/speed.py [--quick] [--largest N] [--only PART,PART] [--threads T] [--output FILE] [--plot FILE]
    python benchmarks/speed.py --redraw FILE [--plot FILE]

PART is one of

accuracy         error of E in five-layer spheres against triangles, concentric and displaced
products         seconds per product against triangles, 5k to 1M: alone, in a block of 16, and the true error
compared         the same at 144k triangles, against the FMM3D wheel (optional: pip install fmm3dpy) and the direct sum
parts            the default head: where the time of building and solving goes
blocks           the default head: 16 coil poses at once against one at a time
million          three spheres of 983,040 triangles in all, solved
preconditioners  iterations with and without what might speed them up

Each case runs in a process of its own, so that peak memory is that of the case (imports included), with compiled code
warm: everything is run once on a small sphere first. Results are written to --output after every case, and tables are
printed at the end. The whole takes about 25 minutes and 14 GiB; --largest 100000 about ten. Quote figures from a
quiet machine only; the load when begun is printed.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import _speed_report

PARTS = ["accuracy", "products", "compared", "parts", "blocks", "million", "preconditioners"]
EPS = [1e-1, 5e-2, 3e-2, 2e-2, 1e-2, 1e-3, 1e-4]
Case = tuple[str, str, dict[str, Any], dict[str, Any]]


def plan(*, quick: bool, largest: int, only: list[str]) -> list[Case]:
    """Return the cases: part, function, its arguments, and what to add to its result."""
    cases: list[Case] = []

    def add(part: str, function: str, labels: dict[str, Any] | None = None, **arguments: Any) -> None:
        if ({"fmm3dpy": "compared", "direct": "compared"}.get(part, part)) in only:
            cases.append((part, function, arguments, labels or {}))

    for displaced in (False, True):
        for subdivisions in range(1, 3) if quick else range(2, 7):
            if 100 * 4**subdivisions <= largest:
                for product in (1e-4, 1e-5) if subdivisions >= 5 else (1e-4,):
                    labels = {"case": "displaced" if displaced else "concentric"}
                    add("accuracy", "accuracy", labels, displaced=displaced, subdivisions=subdivisions, product=product)
    for frequency in (4, 7) if quick else (7, 11, 16, 23, 32, 45, 64, 100):
        if 100 * frequency**2 <= largest:
            add("products", "products", frequency=frequency, patience=0.1 if quick else 2.0)
    middle = 7 if quick else min(38, int((largest / 100) ** 0.5))
    if not quick and "compared" in only:
        add("compared", "products", frequency=middle)
    sizes = [middle] if quick or "products" not in only else [16, middle]
    for frequency in sizes:
        add("fmm3dpy", "fmm3dpy", frequency=frequency, eps=EPS[:2] if quick else EPS)
        for single in (False, True):
            add("direct", "direct", {"precision": "FP32" if single else "FP64"}, frequency=frequency, single=single)
    heads = ["pycortex fast"] if largest < 174_000 else ["pycortex fast", "pycortex standard"]
    if quick:
        heads = ["sphere 1"]
    for head in heads:
        add("parts", "parts", head=head)
    add("blocks", "blocks", head=heads[-1])
    add("million", "million", subdivisions=1 if quick else 7 if largest >= 983_040 else 5)
    for head in ["sphere 1"] if quick else ["sphere 4", heads[-1]]:
        add("preconditioners", "preconditioners", head=head)
    return cases


def run(function: str, arguments: dict[str, Any], *, threads: int) -> dict[str, Any]:
    """Run one case in a process of its own."""
    names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    done = subprocess.run(
        [sys.executable, __file__, "--case", function, json.dumps(arguments)],
        env={**os.environ, **dict.fromkeys(names, str(threads))},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{function} {arguments} failed with exit code {done.returncode}; see above.")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def case(function: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Run one case in this process."""
    import _preconditioners
    import _speed_cases

    home = _preconditioners if function == "preconditioners" else _speed_cases
    result: dict[str, Any] = getattr(home, function)(**arguments)
    return result


def measure(cases: list[Case], *, threads: int, quick: bool, output: Path | None) -> dict[str, Any]:
    """Run all cases; write what there is after each."""
    results: dict[str, Any] = {"machine": run("machine", {}, threads=threads)}
    in_child: set[str] = set()
    for part, function, arguments, labels in cases:
        start = time.perf_counter()
        # A smoke test has no time for a process per case: one is enough to test that, a sum of peaks does not matter.
        if quick and in_child:
            found = case(function, arguments)
        else:
            found = run(function, arguments, threads=threads)
            in_child.add(part)
        results.setdefault(part, []).append({**labels, **found})
        print(f"{time.perf_counter() - start:6.1f} s  {part} {arguments}", file=sys.stderr, flush=True)
        if output is not None:
            output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return results


def main() -> None:
    """Measure, or draw what was measured; print tables."""
    if sys.argv[1:2] == ["--case"]:
        import _speed_cases

        function, arguments = sys.argv[2], json.loads(sys.argv[3])
        if function != "machine":
            _speed_cases.warm_up()
        print(json.dumps(case(function, arguments)))
        return
    parser = argparse.ArgumentParser(description="Accuracy, speed and memory of the solver.")
    parser.add_argument("--quick", action="store_true", help="smoke test on tiny sizes; its figures mean nothing")
    parser.add_argument("--largest", type=int, default=1_000_000, help="triangles of the largest case")
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts, by commas: {','.join(PARTS)}")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of numba, BLAS and OpenMP")
    parser.add_argument("--output", type=Path, help="JSON file for the results")
    parser.add_argument("--plot", help="PNG file")
    parser.add_argument("--redraw", type=Path, help="JSON file of an earlier run: tables and picture only")
    options = parser.parse_args()
    only = options.only.split(",")
    if unknown := set(only) - set(PARTS):
        parser.error(f"--only must name parts among {', '.join(PARTS)}; got {', '.join(sorted(unknown))}.")
    if options.redraw:
        results = json.loads(options.redraw.read_text(encoding="utf-8"))
    else:
        if options.quick:  # before numba is imported
            os.environ["NUMBA_NUM_THREADS"] = str(options.threads)
        cases = plan(quick=options.quick, largest=options.largest, only=only)
        results = measure(cases, threads=options.threads, quick=options.quick, output=options.output)
    _speed_report.print_all(results)
    if options.plot:
        _speed_report.plot(results, options.plot)


if __name__ == "__main__":
    main()
