"""Heads from label volumes: tables of labels, surface nets, simplification, the middle of the grey matter."""

from meshes.labels.reader import read_labels
from meshes.labels.tables import LABEL_TABLES, LabelTable

__all__ = ["LABEL_TABLES", "LabelTable", "read_labels"]
