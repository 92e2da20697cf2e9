"""One page about a result that needs nothing else: ``report.html``, and its numbers as JSON."""

from efield.page.build import Page, build
from efield.page.sections import Section, Told

__all__ = ["Page", "Section", "Told", "build"]
