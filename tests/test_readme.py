"""The README's commands and its Python example."""

import functools
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

import efield
import meshes

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs_as_printed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], small_head: meshes.HeadModel
) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in block.splitlines() if line.strip()]) <= 10
    # The text runs as it stands; only the head is a small sphere and the search coarse, for time.
    monkeypatch.setattr(meshes, "load_head", lambda *_, **__: small_head)
    coarse = functools.partial(efield.optimize, spacing=8.0, angle_step=15.0, radius=8.0)
    monkeypatch.setattr(efield, "optimize", coarse)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), names)
    best = names["best"]
    assert isinstance(best, efield.SearchResult)
    assert sorted(path.name for path in (tmp_path / "result").iterdir()) == ["field.vtp", "summary.json"]
    printed = capsys.readouterr().out
    assert f"{best.field_at_target:.2f} V/m" in printed
    # Fields are linear in dI/dt: the printed dose gives the wanted 60 V/m, up to rounding.
    assert np.isclose(best.didt_for(field=60) / 1e6 * best.field_at_target, 60.0, rtol=1e-12)


def test_ci_runs_the_commands_of_the_readme() -> None:
    """Both set-up commands stand in .ci/run, with the checkout's path for the dot."""
    commands = re.findall(r"^    (pip install .*?) && (\S.*?)\s+#", README, re.MULTILINE)
    assert [job for _, job in commands] == ["efield target m1-hand", "pytest"]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert 'pip install --quiet "$repository"\n' in script
    assert all(re.search(rf"\b{re.escape(job)}\b", script) for _, job in commands)
    # CI installs "dev", which must hold "test", the extra that the README names.
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert any("efield[" in need and "test" in need for need in extras["dev"])


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"\nversion: {project['version']}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)]+)\)", README))
def test_the_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
