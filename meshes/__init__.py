"""Geometry and heads: surfaces, poses, tissues, named heads, anatomy. No coils, no physics; positions in mm."""
