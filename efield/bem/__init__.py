"""The boundary-element solver: octree, charge layer, operator, linear solver, reciprocity."""

from efield.bem.solver import BemSolver

__all__ = ["BemSolver"]
