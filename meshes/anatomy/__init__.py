"""Anatomy on any head: MNI space, distances, labels, named regions, the central sulcus."""
