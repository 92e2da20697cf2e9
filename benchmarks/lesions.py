"""How a stroke lesion changes the field of a coil that was placed on the intact head.

    python benchmarks/lesions.py [--quick] [--resolution fast|standard] [--edge 2] [--figure FILE.png]

The coil lies where `efield.optimize` puts it for M1 hand left on the intact default head (magstim-70mm, 4 mm off the
scalp, 1 A/us). Then lesions of CSF's conductivity are put in: cortical ones, spheres of 12 mm radius around points of
the pial surface 15 to 45 mm posterior-lateral of the target, and a subcortical one, an ellipsoid with half axes of 12,
8 and 8 mm around MNI (-25, -15, 10), the posterior limb of the internal capsule. MNI is brought into the head by the
mean shift of the named targets, which is rough; the head has no deep nuclei, so it is white matter there.

Each lesion is compared with the intact head on the same, locally refined triangles, so that what is left is the
lesion's; "mesh" is what the refinement alone does. Field at the target: over the points of its patch that are not
within 1 mm of the lesion. Around it: the cortex within 30 mm that is left, relative L2 change of the vectors, and the
5th and the 95th percentile of the change of |E| over the |E| at the target. Beside the lesion: grey and white matter
2 mm outside its wall.

Literature: focal TMS fields change moderately unless the coil is next to the lesion (Minjoli et al., NeuroImage:
Clinical 15:106-117, 2017; recalled). --quick puts a lesion into layered spheres and compares with the spectral
solution.
"""

import argparse
import json
import warnings
from dataclasses import dataclass

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from coils import Coil, load_coil
from efield import BemSolver, EField, Target, metrics, optimize, place, spectral
from efield.viewer.slices import cut, inside_cut
from meshes import CONDUCTIVITIES, HeadModel, Pose, Surface, closest_points, load_head, sphere_head
from meshes.checks import winding_numbers
from meshes.lesions import ellipsoid, insert_lesion, refined_around

F64 = NDArray[np.float64]

AROUND = 30.0
BRAIN = (CONDUCTIVITIES["grey"], CONDUCTIVITIES["white"])
DRAWN = ("cortical, 15 mm", "cortical, 30 mm", "subcortical")
MNI_TARGETS = {
    "m1-hand-left": (-37.0, -21.0, 58.0),
    "m1-hand-right": (37.0, -21.0, 58.0),
    "m1-leg-left": (-6.0, -26.0, 66.0),
    "m1-leg-right": (6.0, -26.0, 66.0),
    "s1-hand-left": (-44.0, -28.0, 56.0),
    "s1-hand-right": (44.0, -28.0, 56.0),
}
CAPSULE = (-25.0, -15.0, 10.0)
POSTERIOR_LATERAL = np.array([-1.0, -1.0, 0.0]) / np.sqrt(2.0)


@dataclass(frozen=True, eq=False)
class Case:
    """A lesion and the fields without and with it, on the same triangles outside it."""

    name: str
    lesion: Surface
    head: HeadModel
    before: EField
    after: EField

    @property
    def sigmas(self) -> list[float]:
        """Conductivities of the head's regions (S/m), as its enclosures are sorted."""
        values = np.unique(np.concatenate([interface.sigmas for interface in self.head.interfaces]))
        return [float(value) for value in values if value > 0.0]


def lesions(head: HeadModel, position: F64, *, edge: float) -> dict[str, Surface]:
    """Return the lesions by name."""
    pial = head.interface("pial_lh").surface
    found = {}
    for distance in (15.0, 20.0, 30.0, 45.0):
        centre = closest_points(pial, (position + distance * POSTERIOR_LATERAL)[None])[0][0]
        found[f"cortical, {distance:.0f} mm"] = ellipsoid(centre, 12.0, edge=edge)
    shift = np.mean([head.targets[name] - np.array(mni) for name, mni in MNI_TARGETS.items()], axis=0)
    found["subcortical"] = ellipsoid(np.array(CAPSULE) + shift, (8.0, 12.0, 8.0), edge=edge)
    return found


def solved(name: str, head: HeadModel, lesion: Surface, coil: Coil, pose: Pose) -> Case:
    """Return a case: both heads solved for the coil."""
    intact = refined_around(head, lesion)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of lost regions: the table says what is left
        hurt = insert_lesion(head, lesion)
    before = BemSolver(intact).solve(coil, pose)
    return Case(name, lesion, hurt, before, BemSolver(hurt).solve(coil, pose))


def clear_of(case: Case, points: F64) -> NDArray[np.bool_]:
    """Return which points are not in the lesion, nor within 1 mm of it."""
    distance = closest_points(case.lesion, points)[2]
    return (winding_numbers(points, case.lesion) < 0.5) & (distance >= 1.0)


def beside(case: Case) -> F64:
    """Return points of grey and white matter 2 mm outside the lesion's wall."""
    wall = case.head.interfaces[-1].surface
    points = wall.centroids + 2.0 * wall.normals
    inside = np.zeros(len(points), dtype=np.bool_)
    for name, surface in zip(case.sigmas, case.head.enclosures, strict=True):
        if name in BRAIN:
            inside |= winding_numbers(points, surface) > 0.5
    return points[inside & (closest_points(case.lesion, points)[2] > 1.5)]


def print_row(case: Case, plain: EField, points: F64, weights: F64) -> None:
    """Print one line of the table."""
    kept = clear_of(case, points)
    share = float(weights[kept].sum() / weights.sum())
    gap = float(closest_points(case.lesion, points)[2].min())
    volumes = json.loads(case.head.provenance["lesions"])[case.lesion.name]["volume (mm3)"]
    taken = ", ".join(f"{tissue} {volume / 1000.0:.2f}" for tissue, volume in volumes.items())
    near = beside(case)
    new, old, first = (field.at(points[kept]) for field in (case.after, case.before, plain))
    mean_new, mean_old = (weights[kept] @ np.linalg.norm(field, axis=1) / weights[kept].sum() for field in (new, old))
    middle = np.average(points, axis=0, weights=weights)
    left = case.head.cortex.vertices
    left = left[np.linalg.norm(left - middle, axis=1) < AROUND]
    around_new, around_old = case.after.at(left), case.before.at(left)
    change = (np.linalg.norm(around_new, axis=1) - np.linalg.norm(around_old, axis=1)) / mean_old
    low, high = np.percentile(change, [5.0, 95.0])
    print(
        f"| {case.name} | {taken} | {gap:.1f} | {share:.0%} | {mean_old:.3f} | {mean_new:.3f} "
        f"| {mean_new / mean_old - 1.0:+.1%} | {metrics.relative_error(new, old):.1%} "
        f"| {metrics.relative_error(old, first):.1%} | {metrics.relative_error(around_new, around_old):.1%} "
        f"| {low:+.1%} to {high:+.1%} | {metrics.relative_error(case.after.at(near), case.before.at(near)):.0%} "
        f"| {case.after.error_estimate.relative_error:.1%} |",
        flush=True,
    )


def print_header() -> None:
    """Print the head of the table."""
    cells = [
        "lesion", "takes (cm3)", "to target (mm)", "target left", "|E| before (V/m)", "after", "change", "vectors",
        "mesh", "around, vectors", "around, |E|", "beside the lesion, vectors", "estimated error",
    ]  # fmt: skip
    print("| " + " | ".join(cells) + " |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---|---:|---:|")


def draw_row(row: NDArray[np.object_], case: Case, intact: HeadModel, pose: Pose, target: F64) -> None:
    """Draw one lesion's three panels."""
    up = -pose.z_axis
    centre = case.lesion.vertices.mean(axis=0)
    across = centre - target - ((centre - target) @ up) * up
    across /= np.linalg.norm(across)
    plane = np.stack([across, up])
    origin = target
    focus = plane @ (0.5 * (centre - target))
    spread = np.linspace(-38.0, 38.0, 191)
    flat = np.stack(np.meshgrid(spread + focus[0], spread + focus[1], indexing="xy"), axis=2).reshape(-1, 2)
    inside = inside_cut(intact.interface("inner_skull").surface, origin, plane, flat)
    points = origin + flat[inside] @ plane
    fields = [np.linalg.norm(field.at(points), axis=1) for field in (case.before, case.after)]
    top = float(np.percentile(fields[0], 99.0))
    fields.append(fields[1] - fields[0])
    titles = (f"{case.name}: |E| before (V/m at 1 A/µs)", "after", "after - before")
    for k, (panel, values, title) in enumerate(zip(row, fields, titles, strict=True)):
        image = np.full(len(flat), np.nan)
        image[inside] = values
        limits = (0.0, top, "viridis") if k < 2 else (-0.5 * top, 0.5 * top, "RdBu_r")
        extent = (flat[:, 0].min(), flat[:, 0].max(), flat[:, 1].min(), flat[:, 1].max())
        shown = panel.imshow(
            image.reshape(len(spread), -1), origin="lower", extent=extent, vmin=limits[0], vmax=limits[1],
            cmap=limits[2], interpolation="bilinear",
        )  # fmt: skip
        panel.figure.colorbar(shown, ax=panel, shrink=0.8, extend="max" if k < 2 else "both")
        head = intact if k == 0 else case.head
        for interface in head.interfaces:
            spots, _, _, segments = cut(interface.surface, origin, np.cross(plane[0], plane[1]))
            wall = interface.name == case.lesion.name
            lines = ((spots - origin) @ plane.T)[segments]
            panel.add_collection(LineCollection(lines, colors="#d62728" if wall else "0.15", lw=2.0 if wall else 0.7))
        if k != 1:
            spots, _, _, segments = cut(case.lesion, origin, np.cross(plane[0], plane[1]))
            lines = ((spots - origin) @ plane.T)[segments]
            panel.add_collection(LineCollection(lines, colors="#d62728", lw=1.0, linestyles="dotted"))
        panel.plot(0.0, 0.0, "*", ms=14.0, mfc="white", mec="black")
        axis = plane @ (pose.origin - origin)
        panel.annotate("coil", axis, ha="center", annotation_clip=True)
        panel.plot(*np.stack([axis, axis + 40.0 * (plane @ pose.z_axis)]).T, color="black", lw=0.8, ls=(0, (6, 4)))
        panel.set(xlim=extent[:2], ylim=extent[2:], title=title)
        panel.set_xlabel("towards the lesion, along the scalp (mm from the target)")
    row[0].set_ylabel("towards the coil (mm)")


def quick() -> None:
    """Put a lesion into layered spheres and compare with the spectral solution."""
    radii, sigmas = [90.0, 84.0, 78.0, 68.0, 58.0], [0.465, 0.010, 1.654, 0.275, 0.126]
    centre, radius = np.array([-22.0, 3.0, 36.0]), 10.0
    coil = load_coil("magstim-70mm")
    head = sphere_head(radii, sigmas, subdivisions=3)
    pose = place(head, (-45.0, 0.0, 78.0), handle=(0.0, -1.0, 0.0), coil=coil)
    dipoles = pose.apply(coil.positions), pose.apply_vectors(coil.moments)
    exact = spectral.sphere_solution(
        [*radii, radius], [*sigmas, 1.654], np.vstack([np.zeros((5, 3)), centre]), *dipoles, degree=35
    )
    direction = np.random.default_rng(5).normal(size=(200, 3))
    points = (
        centre + direction / np.linalg.norm(direction, axis=1)[:, None] * np.repeat([5.0, 8.0, 12.0, 16.0], 50)[:, None]
    )
    hurt = insert_lesion(head, ellipsoid(centre, radius, edge=1.5), conductivity=1.654, tissues=(0.275, 0.126))
    error = metrics.relative_error(BemSolver(hurt).solve(coil, pose).at(points), exact.field(points))
    print(f"lesion sphere of {radius:g} mm in white matter, {hurt!r}: {error:.2%} of the spectral solution; bar 1 %")


def main() -> None:
    """Print the table, and draw the figure."""
    parser = argparse.ArgumentParser(description="Field with and without lesions.")
    parser.add_argument("--quick", action="store_true", help="smoke test in spheres")
    parser.add_argument("--resolution", default="fast", help="of the default head: fast or standard")
    parser.add_argument("--edge", type=float, default=2.0, help="of the lesions' triangles (mm)")
    parser.add_argument("--figure", help="PNG file to draw")
    arguments = parser.parse_args()
    if arguments.quick:
        quick()
        return
    coil = load_coil("magstim-70mm")
    head = load_head(resolution=arguments.resolution)
    target = Target.named("m1-hand", head, side="left")
    solver = BemSolver(head)
    best = optimize(solver, coil, target)
    plain = solver.solve(coil, best.pose)
    print(f"{head!r} {head.resolution}, {coil.name} for {target.name} {target.side}\n")
    print_header()
    figure = Figure(figsize=(16.0, 5.4 * len(DRAWN)), dpi=110, layout="constrained")
    axes = figure.subplots(len(DRAWN), 3)
    for name, lesion in lesions(head, target.position, edge=arguments.edge).items():
        case = solved(name, head, lesion, coil, best.pose)
        print_row(case, plain, best.patch.points, best.patch.weights)
        if arguments.figure and name in DRAWN:
            draw_row(axes[DRAWN.index(name)], case, head, best.pose, target.position)
        del case  # its solvers take a gigabyte each
    if arguments.figure:
        figure.savefig(arguments.figure)


if __name__ == "__main__":
    main()
