"""The tests; a package, so that test files share `tests.reference`."""
