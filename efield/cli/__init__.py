"""The command line: ``efield target``, ``efield simulate``, ``efield heads``, ``efield coils``, ``efield targets``."""

from efield.cli.app import app, main

__all__ = ["app", "main"]
