"""Which tests belong to what has changed since `main` (or what is not committed): `python tests/changed.py` prints their paths.

Tests mirror the tree: preceptor/deid/spans.py is tested in tests/deid/. A file of its own name there is taken, else its folder. What
everything stands on (settings, records) has no tests near it; the whole suite looks at that.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Slow, or of the whole: `make test` runs them.
_WHOLE = frozenset({"tests/pipeline", "tests/training"})


def beside(changed: Iterable[str], root: Path = ROOT) -> list[str]:
    """Paths below `root`, sorted; a folder stands for the files in it."""
    found = {test for path in changed for test in _of(path, root)}
    return sorted(t for t in found if not any(t != f and t.startswith(f"{f}/") for f in found))


def _of(path: str, root: Path) -> list[str]:
    parts = Path(path).parts
    if not path.endswith((".py", ".j2", ".yaml", ".txt", ".json")) or len(parts) < 2:
        return []
    if parts[0] == "tests":
        name = parts[-1]
        test = path if name.startswith("test_") else str(Path(*parts[:-1]))
        return [test] if (root / test).exists() and test != "tests" else []
    if parts[0] in ("assets", "pipelines", "resources"):
        return ["tests/pipeline/test_definitions.py"]
    if parts[0] != "preceptor":
        return []
    inside = parts[1:]
    own = Path("tests", *inside[:-1], f"test_{Path(inside[-1]).stem}.py")
    if (root / own).exists():
        return [str(own)]
    for depth in range(len(inside) - 1, 0, -1):
        folder = str(Path("tests", *inside[:depth]))
        if (root / folder).is_dir():
            return [] if folder in _WHOLE else [folder]
    return []


def changed_files() -> list[str]:
    """Files that differ from `main`, or on it from the last commit; untracked ones too."""

    def lines(*command: str) -> list[str]:
        done = subprocess.run(["git", *command], cwd=ROOT, check=True, capture_output=True, text=True)
        return done.stdout.splitlines()

    branch = lines("rev-parse", "--abbrev-ref", "HEAD")
    since = "HEAD" if branch == ["main"] else lines("merge-base", "HEAD", "main")[0]
    return [*lines("diff", "--name-only", since), *lines("ls-files", "--others", "--exclude-standard")]


if __name__ == "__main__":
    sys.stdout.write("\n".join(beside(changed_files())) + "\n")
