"""Walk two octrees at once and list which pairs of cells are far from each other and which are near.

Notes
-----
Boxes are compared in whole numbers, so the lists depend on no rounding. Two cells are far when the gap between
their boxes, along some axis, is at least the edge of the larger one: for cells of one size, all but the 27 nearest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from efield._jit import serial

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]


@serial
def _is_far(ta: int, a: I64, tb: int, b: I64) -> bool:
    level = max(ta, tb)
    size_a = 1 << (level - ta)
    size_b = 1 << (level - tb)
    gap = 0
    for d in range(3):
        gap = max(gap, b[d] * size_b - (a[d] + 1) * size_a, a[d] * size_a - (b[d] + 1) * size_b)
    return gap >= max(size_a, size_b)


@serial
def interaction_lists(
    t_level: I32,
    t_index: I64,
    t_child: I32,
    t_children: I32,
    t_roots: int,
    s_level: I32,
    s_index: I64,
    s_child: I32,
    s_children: I32,
    s_roots: int,
) -> tuple[I32, I32, I32, I32]:
    """Return the far pairs (targets, sources) and the near pairs (target leaves, source leaves).

    Parameters
    ----------
    t_level, t_index, t_child, t_children : ndarray
        Target tree: level, (n, 3) position in units of the cell's own edge, first child and number of children.
    t_roots : int
        The first cells of the tree are its roots.
    s_level, s_index, s_child, s_children, s_roots
        The same for the source tree, on the same lattice.

    Returns
    -------
    tuple of ndarray
        far_targets, far_sources, near_targets, near_sources; cell numbers, int32.
    """
    far_t = np.empty(1024, dtype=np.int32)
    far_s = np.empty(1024, dtype=np.int32)
    near_t = np.empty(1024, dtype=np.int32)
    near_s = np.empty(1024, dtype=np.int32)
    n_far = 0
    n_near = 0
    stack_t = np.empty(t_roots * s_roots + 4096, dtype=np.int32)
    stack_s = np.empty(t_roots * s_roots + 4096, dtype=np.int32)
    top = 0
    for t in range(t_roots):
        for s in range(s_roots):
            stack_t[top] = t
            stack_s[top] = s
            top += 1
    while top > 0:
        top -= 1
        t = stack_t[top]
        s = stack_s[top]
        if _is_far(t_level[t], t_index[t], s_level[s], s_index[s]):
            if n_far == far_t.size:
                far_t = np.concatenate((far_t, np.empty(n_far, dtype=np.int32)))
                far_s = np.concatenate((far_s, np.empty(n_far, dtype=np.int32)))
            far_t[n_far] = t
            far_s[n_far] = s
            n_far += 1
            continue
        split_t = t_children[t] > 0 and (s_children[s] == 0 or t_level[t] <= s_level[s])
        split_s = s_children[s] > 0 and (t_children[t] == 0 or s_level[s] <= t_level[t])
        if not split_t and not split_s:
            if n_near == near_t.size:
                near_t = np.concatenate((near_t, np.empty(n_near, dtype=np.int32)))
                near_s = np.concatenate((near_s, np.empty(n_near, dtype=np.int32)))
            near_t[n_near] = t
            near_s[n_near] = s
            n_near += 1
            continue
        if top + 81 > stack_t.size:  # at most nine children on either side
            stack_t = np.concatenate((stack_t, np.empty(stack_t.size, dtype=np.int32)))
            stack_s = np.concatenate((stack_s, np.empty(stack_s.size, dtype=np.int32)))
        # Cells of one size are split together, so that far pairs stay between cells of one size where they can.
        for a in range(t_children[t] if split_t else 1):
            for b in range(s_children[s] if split_s else 1):
                stack_t[top] = t_child[t] + a if split_t else t
                stack_s[top] = s_child[s] + b if split_s else s
                top += 1
    return far_t[:n_far], far_s[:n_far], near_t[:n_near], near_s[:n_near]
