"""The drawings of the named coils: windings, casings, limits and where each figure comes from.

Not here: Brainsway's H coils. The H1 of Deng's table is called inaccurate and mirrored by those who converted it, and
the models of H1, H4 and H7 from X-ray images are data of another program that may not ship; read them from their files.

Each `Published` is a row of half-value depth and spread for a coil of this name in a sphere, from drawings (Deng) or
from fields measured around the real coil (Drakaki, figures computed from those models). `benchmarks/deng_coils.py`
compares all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from coils.coil import Coil
from coils.shapes import circular, place_wing, place_wings, two_wings
from coils.windings import Winding, Wing

__all__ = ["DRAWINGS", "Drawing", "Published"]

_DENG = "winding: Deng et al., Brain Stimul 2013;6:1-13, supplement"
_DRAKAKI = "Drakaki et al., Brain Stimul 2022;15:697-706"
_CASING = "casing 3 mm below the winding taken over from the Magstim 70 mm coil"

CLEARANCE = 3.0
"""Of the winding from the casing's faces (mm): Thielscher and Kammer, NeuroImage 2002;17:1117-1130, Magstim 70 mm."""


@dataclass(frozen=True)
class Published:
    """Published half-value depth and spread of a coil in a sphere of 85 mm with a brain of 70 mm.

    Attributes
    ----------
    source : str
        "Deng" with the number of the row, or "Drakaki".
    depth : float
        d1/2 (mm).
    spread : float
        S1/2 (mm^2).
    peak : float or None
        Greatest field on the brain (V/m per A/us).
    tolerance : float or None
        How near the drawing should come, 0.05 for 5 %; None where the drawing is known to be approximate.
    """

    source: str
    depth: float
    spread: float
    peak: float | None = None
    tolerance: float | None = None


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What a named coil is built from; the fields are the parameters of `coils.shapes.two_wings`.

    A `circular` coil has one winding and none of the wings' parameters.
    """

    windings: tuple[Winding, ...]
    source: str
    published: tuple[Published, ...]
    circular: bool = False
    layer_gap: float = 0.0
    wing_angle: float = 180.0
    wing_distance: float | None = None
    interleaved: bool = False
    open_wings: bool = False
    bridge: float = 0.0
    max_didt: float | None = None

    def wings(self) -> tuple[Wing, ...]:
        """Return the windings at their places in the coil's frame."""
        if self.circular:
            return (place_wing(self.windings[0], CLEARANCE),)
        return place_wings(
            self.windings,
            layer_gap=self.layer_gap,
            wing_angle=self.wing_angle,
            wing_distance=self.wing_distance,
            interleaved=self.interleaved,
            open_wings=self.open_wings,
            bridge=self.bridge,
            clearance=CLEARANCE,
        )

    def build(self, name: str) -> Coil:
        """Build the coil and give it a name."""
        if self.circular:
            return circular(
                inner_diameter=self.windings[0].inner_diameter,
                outer_diameter=self.windings[0].outer_diameter,
                turns=self.windings[0].turns,
                wire_width=self.windings[0].wire_width,
                wire_height=self.windings[0].wire_height,
                clearance=CLEARANCE,
                max_didt=self.max_didt,
                name=name,
                source=self.source,
            )
        return two_wings(
            self.windings,
            layer_gap=self.layer_gap,
            wing_angle=self.wing_angle,
            wing_distance=self.wing_distance,
            interleaved=self.interleaved,
            open_wings=self.open_wings,
            bridge=self.bridge,
            clearance=CLEARANCE,
            max_didt=self.max_didt,
            name=name,
            source=self.source,
        )


def _turns(inner: float, outer: float, turns: int, width: float, height: float, layers: int = 1) -> Winding:
    return Winding(
        inner_diameter=inner, outer_diameter=outer, turns=turns, wire_width=width, wire_height=height, layers=layers
    )


_MAGSTIM = {
    "magstim-70mm": Drawing(  # 9925, 3190
        windings=(_turns(56, 87, 9, 1.75, 6),),
        max_didt=114.73e6,
        source=f"{_DENG}, no. 31; casing 3 mm below the winding: Thielscher and Kammer 2002; max dI/dt with Magstim "
        f"Rapid: {_DRAKAKI}",
        published=(Published("Deng 31", 14.1, 1480.0, None, 0.05), Published("Drakaki", 14.7, 1630.0, 1.144)),
    ),
    "magstim-25mm": Drawing(  # 1165
        windings=(_turns(18, 42, 14, 0.75, 6),),
        source=f"{_DENG}, no. 25; {_CASING}; no published limit of dI/dt",
        published=(Published("Deng 25", 9.6, 646.0, None, 0.05),),
    ),
    "magstim-90mm-circular": Drawing(
        circular=True,
        windings=(_turns(66, 123, 14, 1.75, 6),),
        source=f"{_DENG}, no. 5; casing 3 mm below the winding taken over from the 70 mm coil",
        published=(Published("Deng 5", 17.4, 8740.0, None, 0.10),),
    ),
    "magstim-70mm-circular": Drawing(  # 9762
        circular=True,
        windings=(_turns(40, 94, 15, 1.75, 6),),
        source=f"{_DENG}, no. 4; {_CASING}; no published limit of dI/dt",
        published=(Published("Deng 4", 14.4, 6600.0, None, 0.10),),
    ),
    # The real rings are bent, flat in the middle of the coil, and so come nearer to the head than two flat ones: with
    # the casing 4 mm off the sphere the field on the brain is 1.94, that of the measured model 2.46 V/m per A/us.
    "magstim-double-cone": Drawing(  # 9902
        windings=(_turns(96, 125, 7, 1.75, 6),),
        wing_angle=100.0,
        open_wings=True,
        max_didt=84.37e6,
        source=f"{_DENG}, no. 37; wings are open rings, as in the casing model of {_DRAKAKI}; {_CASING}; max dI/dt "
        f"with Magstim Rapid: {_DRAKAKI}",
        published=(Published("Deng 37", 19.8, 3400.0, None, 0.05), Published("Drakaki", 19.3, 3270.0, 2.460)),
    ),
}

_MAGVENTURE = {
    "magventure-mc-b70": Drawing(
        windings=(_turns(24, 108, 10, 3.5, 6),),
        wing_angle=155.0,
        # Not published: chosen so that d1/2 and S1/2 are Deng's, see `source`.
        wing_distance=66.0,
        interleaved=True,
        bridge=4.0,
        max_didt=155.33e6,
        source=f"{_DENG}, no. 30; bend of 155 degrees and depth of the casing's fold from the models of {_DRAKAKI}; "
        "distance of the overlapping wings chosen to meet the published d1/2 and S1/2; moment at x > 0 is 0.035 m^2, "
        f"in the measured model 0.030; {_CASING}; max dI/dt with MagPro X100: {_DRAKAKI}",
        published=(Published("Deng 30", 13.5, 1390.0), Published("Drakaki", 13.0, 1290.0, 1.384)),
    ),
    "magventure-c-b60": Drawing(
        windings=(_turns(35, 75, 5, 1.75, 11, layers=2),),
        max_didt=155.40e6,
        source=f"{_DENG}, no. 29; {_CASING}; max dI/dt with MagPro X100: {_DRAKAKI}",
        published=(Published("Deng 29", 13.3, 1290.0, None, 0.05), Published("Drakaki", 13.5, 1360.0, 0.905)),
    ),
    "magventure-cool-d-b80": Drawing(
        # r = 24 mm + 0.61 mm angle from 4 pi to 12 pi, and 27 mm + 0.61 mm angle from 4 pi to 10 pi, wire of 2 mm: each
        # turn of the spirals is a circle of its mean radius.
        windings=(_turns(65.2, 92.2, 4, 2, 6), _turns(71.2, 90.4, 3, 2, 6)),
        layer_gap=1.0,
        wing_angle=120.0,
        wing_distance=106.0,
        # The real casing is a plate with a recess of about 10 mm under each opening: all of it that a head can reach.
        open_wings=True,
        bridge=10.0,
        max_didt=146.44e6,
        source="windings: the spirals of 4 and 3 turns of the generator in bem-fmm-python, which calls them "
        "approximate, as concentric turns in two layers, the 4 turns next to the head, 1 mm apart (assumed); distance "
        f"of the wings chosen to meet d1/2 and S1/2 of the measured model of {_DRAKAKI}; depth of the casing's fold "
        f"and open middle of its wings from that model; {_CASING}; max dI/dt with MagPro X100: {_DRAKAKI}",
        published=(Published("Drakaki", 16.8, 2290.0, 1.347),),
    ),
    "magventure-twin": Drawing(
        windings=(_turns(40, 119, 15, 2.5, 15),),
        # The wings' axes meet in the centre of Deng's sphere at 100 degrees, so that their planes make 80; at 5 mm from
        # its scalp the turns' face is 87.7 mm from the centre, the wings' centres 87.7 tan 50 degrees from the fold.
        wing_angle=80.0,
        wing_distance=209.0,
        max_didt=200.08e6,
        source=f"{_DENG}, no. 36, one layer 15 mm high; the opening of 100 degrees is that of the wings' axes, seen "
        f"from the origin (read as its sphere's centre); the real coil's hinge can be set; {_CASING}; max dI/dt with "
        f"MagPro XP, one half: {_DRAKAKI}",
        published=(Published("Deng 36", 24.9, 7830.0),),
    ),
}

DRAWINGS: Mapping[str, Drawing] = MappingProxyType(_MAGSTIM | _MAGVENTURE)
"""All drawings by name."""
