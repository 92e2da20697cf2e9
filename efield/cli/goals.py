"""What ``efield target`` is asked for: targets and objective from the options of the command line."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from efield.cli.names import say_notes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from efield import Target
    from efield.objectives import Objective
    from meshes import HeadModel

__all__ = ["OBJECTIVES", "Goal"]

OBJECTIVES = ("strength", "across-wall", "mean", "percentile", "focal")


@dataclass(frozen=True, kw_only=True)
class Goal:
    """Where the field is wanted, and what of it.

    Attributes
    ----------
    name, mni, at, region, mask : str or Path, optional
        Exactly one: a named target, a point in MNI space or in the head's own (x,y,z), a region, a NIfTI file.
    side : str, optional
        "left", "right" or "both", for a named target; "left" by default.
    radius : float
        Of the patch (mm).
    direction : str, optional
        Wanted direction, x,y,z.
    objective : str
        One of `OBJECTIVES`.
    avoid : tuple of str
        Named targets to spare, as "s1-hand" (of the target's side or sides) or "s1-hand:right".
    avoid_share : float, optional
        Greatest field at these over that at the target.
    """

    name: str | None = None
    mni: str | None = None
    at: str | None = None
    region: str | None = None
    mask: Path | None = None
    side: str | None = None
    radius: float = 5.0
    direction: str | None = None
    objective: str = "strength"
    avoid: tuple[str, ...] = ()
    avoid_share: float | None = None

    def check(self) -> None:
        """Raise ValueError for what is wrong without looking at a head."""
        from efield.cli.names import check_names
        from meshes import arrays

        given = {
            "TARGET": self.name,
            "--mni": self.mni,
            "--at": self.at,
            "--region": self.region,
            "--mask": None if self.mask is None else str(self.mask),
        }
        used = [option for option, value in given.items() if value is not None]
        if len(used) != 1:
            raise ValueError(
                "TARGET must be given, or one of --mni, --at, --region, --mask instead; got "
                f"{' and '.join(used) or 'none'}. For example: efield target m1-hand."
            )
        if self.name is not None:
            check_names(target=self.name)
        elif self.side is not None:
            raise ValueError(f"--side must not be given with {used[0]}, which has its place; got {self.side}.")
        arrays.choice(self.objective, "--objective", OBJECTIVES)
        arrays.positive(self.radius, "--target-radius")
        for option, text in (("--mni", self.mni), ("--at", self.at), ("--direction", self.direction)):
            if text is not None:
                point(text, option)
        if self.avoid_share is not None:
            arrays.positive(self.avoid_share, "--avoid-share")
            if not self.avoid:
                raise ValueError(
                    f"--avoid must name what shall be spared if --avoid-share is given; got {self.avoid_share}."
                )
        for text in self.avoid:
            name, _, side = text.partition(":")
            check_names(target=name)
            arrays.choice(side or "left", "--avoid", ("left", "right"))
        if self.avoid and self.objective != "strength":
            raise ValueError(f"--objective must be strength with --avoid; got {self.objective}.")

    @property
    def _sides(self) -> tuple[str, ...]:
        return ("left", "right") if self.side == "both" else (self.side or "left",)

    @property
    def is_plain(self) -> bool:
        """Whether nothing but the strength at the target counts."""
        return self.objective == "strength" and not self.avoid and self.direction is None

    @property
    def folder(self) -> str:
        """Name of the folder for the result, if none is given."""
        if self.name is not None:
            return f"{self.name}-{self.side or 'left'}"
        if self.region is not None:
            return self.region.replace(":", "-").replace("/", "-")
        return self.mask.name.split(".")[0] if self.mask is not None else "target"

    def targets(self, head: HeadModel) -> list[Target]:
        """Return the targets on a head; what is doubtful about them is said on stderr."""
        from efield import Target
        from efield.targeting.masks import target_of_mask

        direction = None if self.direction is None else point(self.direction, "--direction")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            if self.mni is not None:
                found = [Target.at_mni(point(self.mni, "--mni"), head, radius=self.radius, direction=direction)]
            elif self.at is not None:
                found = [Target(position=point(self.at, "--at"), radius=self.radius, direction=direction)]
            elif self.region is not None:
                found = [Target.of_region(self.region, head, radius=self.radius, direction=direction)]
            elif self.mask is not None:
                found = [target_of_mask(self.mask, head, radius=self.radius, direction=direction)]
            else:
                sides, name = self._sides, self.name or ""
                found = [Target.named(name, head, side=side, radius=self.radius, direction=direction) for side in sides]
        say_notes(caught)
        return found

    def wanted(self, head: HeadModel) -> Objective:
        """Return the objective."""
        from efield import Target, objectives

        if self.avoid:
            spared = []
            for text in self.avoid:
                name, _, side = text.partition(":")
                sides = (side,) if side else self._sides
                spared += [Target.named(name, head, side=each, radius=self.radius) for each in sides]
            if self.avoid_share is None:
                return objectives.contrast(spared)
            return objectives.limited(spared, share=self.avoid_share)
        return {
            "strength": objectives.strength,
            "across-wall": objectives.across_wall,
            "mean": objectives.mean_magnitude,
            "percentile": objectives.percentile,
            "focal": objectives.focal,
        }[self.objective]()


def point(text: str, option: str) -> NDArray[np.float64]:
    """Return three numbers from x,y,z.

    Raises
    ------
    ValueError
        If it is something else.
    """
    from meshes import arrays

    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 3:
        raise ValueError(f"{option} must be x,y,z, three numbers with commas; got {text!r}. For example -37,-21,58.")
    return arrays.vector(numbers, option)
