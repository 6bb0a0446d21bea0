"""`make check` runs the tests that stand beside what was changed."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
beside = runpy.run_path(str(ROOT / "tests" / "changed.py"))["beside"]


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        (["preceptor/starting.py"], ["tests/test_starting.py"]),
        (["preceptor/evaluation/failures.py"], ["tests/evaluation/test_failures.py"]),
        (["preceptor/deid/surrogates/ages.py"], ["tests/deid"]),
        (["preceptor/evaluation/templates/sections/coding.html.j2"], ["tests/evaluation"]),
        (["assets/raw.py"], ["tests/pipeline/test_definitions.py"]),
        (["tests/deid/test_gate.py", "preceptor/deid/spans.py"], ["tests/deid"]),
        (["tests/providers/conftest.py"], ["tests/providers"]),
        (["README.md", "docs/intake.md", "preceptor/settings.py", "gone/away.py"], []),
    ],
)
def test_tests_are_those_beside_the_change(changed, tests):
    assert beside(changed) == tests


def test_every_part_of_the_house_has_its_tests():
    folders = {path.name for path in (ROOT / "preceptor").iterdir() if (path / "__init__.py").exists()}
    assert {name for name in folders if not (ROOT / "tests" / name).is_dir()} == set()
