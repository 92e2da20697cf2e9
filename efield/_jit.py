"""The one place that sets numba's flags and cache.

Every kernel is decorated with `kernel` (a parallel loop over rows, called from Python) or `inline`
(a scalar helper that kernels call). ``fastmath=True`` is never used: it would let the compiler assume that
there are no NaNs and so hide them; contraction to fused multiply-adds and re-association are safe and give
most of the speed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import platformdirs

F = TypeVar("F", bound=Callable[..., Any])

_FASTMATH = {"contract", "reassoc"}


def _cache_directory() -> str:
    """Return a cache folder keyed by a hash of all kernel sources.

    numba's on-disk cache notices a change in the file of the cached function only, not in a helper of another
    file; a new folder for each state of the sources closes that hole.
    """
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted((Path(__file__).parent / "kernels").glob("*.py")):
        digest.update(source.read_bytes())
    return str(Path(platformdirs.user_cache_dir("efield")) / "numba" / digest.hexdigest()[:16])


def _cache_is_usable() -> bool:
    if os.environ.get("NUMBA_CACHE_DIR"):
        return True
    folder = _cache_directory()
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return False  # a read-only home: compile afresh in every process
    if not os.access(folder, os.W_OK):
        return False
    setattr(numba.config, "CACHE_DIR", folder)  # noqa: B010  # made at run time, unknown to type checkers
    return True


_CACHE = _cache_is_usable()


def kernel(function: F) -> F:
    """Compile a public kernel: parallel, nogil, cached."""
    compiled = numba.njit(parallel=True, nogil=True, cache=_CACHE, error_model="numpy", fastmath=_FASTMATH)(function)
    return cast(F, compiled)


def serial(function: F) -> F:
    """Compile a kernel that runs on one thread (tree traversals, which carry a stack)."""
    return cast(F, numba.njit(nogil=True, cache=_CACHE, error_model="numpy")(function))


def inline(function: F) -> F:
    """Compile a scalar helper that kernels call."""
    compiled = numba.njit(nogil=True, cache=_CACHE, error_model="numpy", fastmath=_FASTMATH, inline="never")(function)
    return cast(F, compiled)
