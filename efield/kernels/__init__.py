"""Compiled loops: plain functions of arrays and floats. They trust their input; callers check it."""
