"""Check what is asked for by name, and say which option was at fault."""

from __future__ import annotations

__all__ = ["check_names"]


def check_names(
    *, coil: str | None = None, head: str | None = None, resolution: str | None = None, target: str | None = None
) -> None:
    """Raise ValueError, with the option's name and all that can be named, for a name that is unknown.

    Parameters
    ----------
    coil, head, target : str, optional
        Names; those left out are not checked.
    resolution : str, optional
        One of the head's resolutions; needs `head`.
    """
    import coils
    import meshes
    from meshes import arrays

    if target is not None:
        from efield.targeting import list_targets

        arrays.choice(target, "TARGET", sorted(list_targets()))
    if coil is not None:
        arrays.choice(coil, "--coil", coils.list_coils())
    if head is not None:
        arrays.choice(head, "--head", meshes.list_heads())
        if resolution is not None:
            arrays.choice(resolution, "--resolution", meshes.head_resolutions(head))
