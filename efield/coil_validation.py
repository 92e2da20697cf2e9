"""Measure named coils as published rows of half-value depth and spread were measured: over a sphere of 85 mm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from efield.analytic import sphere_field
from efield.half_values import HalfValues, half_values
from meshes.arrays import FloatArray

if TYPE_CHECKING:
    from coils import Coil
    from coils.catalogue import Published
    from coils.windings import Wing

__all__ = ["BRAIN", "SCALP", "half_values_over_sphere", "height_over_sphere", "published_set_up"]

SCALP = 85.0
"""Radius of the sphere (mm)."""

BRAIN = 70.0
"""Radius of the brain in it (mm)."""

# Distance of the nearest turn from the scalp in the rows "Deng", of the coil frame's origin in the rows "Drakaki" (mm).
_WINDING_GAP, _CASING_GAP = 5.0, 4.0

# The coil stands over the north pole, its z axis down: half a turn about x.
_DOWN = np.array([1.0, -1.0, -1.0])


def published_set_up(name: str, row: Published, *, spacing: float = 2.5) -> HalfValues:
    """Measure a named coil in the set-up of a published row.

    Parameters
    ----------
    name : str
        One of `coils.list_coils()`.
    row : Published
        One of `coils.published(name)`.
    spacing : float, optional
        Of the points in the brain (mm); see `efield.metrics.half_values`.

    Returns
    -------
    HalfValues
        d1/2 (mm), S1/2 (mm^2) and the peak (V/m at 1 A/us).

    Raises
    ------
    ValueError
        If there is no coil of this name.

    Notes
    -----
    Rows "Deng" (Deng, Lisanby and Peterchev, Brain Stimul 2013;6:1-13): the nearest turn 5 mm above the scalp. The
    sizes of that set-up are not in the paper's abstract or tables; they are those that reproduce the tables best. Rows
    "Drakaki": the origin of the coil's frame 4 mm above the scalp; a coil whose winding would then come nearer than
    4 mm is raised.
    """
    from coils import load_coil
    from coils.catalogue import DRAWINGS

    coil = load_coil(name)
    wings = DRAWINGS[name].wings()
    if row.source == "Drakaki":
        height = max(SCALP + _CASING_GAP, height_over_sphere(wings, _CASING_GAP))
    else:
        height = height_over_sphere(wings, _WINDING_GAP)
    return half_values_over_sphere(coil, height, spacing=spacing)


def height_over_sphere(wings: Sequence[Wing], gap: float) -> float:
    """Return how high the coil's origin is above the sphere's centre when its nearest turn is `gap` off the scalp (mm).

    Parameters
    ----------
    wings : sequence of Wing
        The coil's windings, in its frame.
    gap : float
        Distance from the nearest turn to the scalp (mm).

    Returns
    -------
    float
    """
    points, reach = _faces(wings) * _DOWN, SCALP + gap
    aside = np.hypot(points[:, 0], points[:, 1])
    near = aside < reach
    return float((np.sqrt(reach**2 - aside[near] ** 2) - points[near, 2]).max())


def half_values_over_sphere(coil: Coil, height: float, *, spacing: float = 2.5) -> HalfValues:
    """Measure a coil of dipoles over the sphere's north pole.

    Parameters
    ----------
    coil : Coil
        The coil.
    height : float
        Of its origin above the sphere's centre (mm).
    spacing : float, optional
        As in `published_set_up`.

    Returns
    -------
    HalfValues
    """
    positions = coil.positions * _DOWN + np.array([0.0, 0.0, height])
    moments = coil.moments * _DOWN
    return half_values(
        lambda points: sphere_field(points, positions, moments, radius=SCALP), radius=BRAIN, spacing=spacing
    )


def _faces(wings: Sequence[Wing]) -> FloatArray:
    """Return points on the windings' head-side and edge faces, shape (n, 3) (mm, coil frame)."""
    angle = np.radians(np.arange(0.0, 360.0, 0.5))
    parts = []
    for wing in wings:
        inner, outer = wing.winding.inner_diameter / 2.0, wing.winding.outer_diameter / 2.0
        rims = [(radius, 0.0) for radius in np.linspace(inner, outer, 31)]
        rims += [(radius, z) for radius in (inner, outer) for z in np.linspace(-wing.winding.height, 0.0, 5)]
        for radius, z in rims:
            circle = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.full_like(angle, z)])
            parts.append(wing.pose.apply(circle))
    return np.concatenate(parts)
