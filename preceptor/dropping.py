"""Taking a patient out of finished versions; their manifests say how often that was done."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from preceptor.versions import MANIFEST, file_sha256, write_atomic

if TYPE_CHECKING:
    import pyarrow as pa

ERASED_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Report erased</title>
<p>This report showed or drew on documents of a patient who has been erased. Its cases and answers are gone; the
figures without any text are in report.json.</p></html>
"""
_COLUMN = "patient_ref"
_AT_WORK = ".dropping"  # in a version whose files and manifest may not agree yet


def holds_any(folder: Path, patients: Collection[str]) -> bool:
    """Whether a row of the version's Parquet files is of one of these patients."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for path in folder.rglob("*.parquet"):
        if _COLUMN in pq.read_schema(path).names:
            if pc.any(_of(pq.read_table(path, columns=[_COLUMN]), patients)).as_py():
                return True
    return False


def drop_rows(folder: Path, patients: Collection[str]) -> None:
    """Rewrite the Parquet files without the patients' rows; the manifest gets their new hashes.

    Killed in between, the version is among `interrupted`, and the same call ends it.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    (folder / _AT_WORK).touch()
    for path in sorted(folder.rglob("*.parquet")):
        table = pq.read_table(path)
        theirs = _of(table, patients)
        if pc.any(theirs).as_py():
            beside = path.with_name(f".{path.name}.part")
            pq.write_table(table.filter(pc.invert(theirs)), beside)
            beside.replace(path)
    _seal(folder)
    (folder / _AT_WORK).unlink()


def interrupted(root: Path) -> list[Path]:
    """The versions below `root` of which a killed call was dropping rows."""
    return sorted(note.parent for note in root.glob(f"*/*/{_AT_WORK}"))


def drop_cases(folder: Path) -> None:
    """Leave of an evaluation the figures, and a page that says why there is nothing more to read."""
    for path in folder.glob("*.parquet"):
        path.unlink()
    write_atomic(folder / "report.html", ERASED_PAGE)
    _seal(folder)


def _of(table: pa.Table, patients: Collection[str]) -> pa.ChunkedArray:
    """Of each row, whether it is of one of the patients."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = table[_COLUMN]
    return pc.is_in(column, pa.array(sorted(patients), column.type))


def _seal(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    for left in folder.rglob(".*.part"):
        left.unlink()  # of a killed call: it may hold the rows of another patient
    files = {str(p.relative_to(folder)): p for p in sorted(folder.rglob("*")) if p.is_file()}
    hashes = {name: file_sha256(p) for name, p in files.items() if name not in (MANIFEST, _AT_WORK)}
    if hashes != manifest["files"]:
        changed = {**manifest, "files": hashes, "erasures": manifest.get("erasures", 0) + 1}
        write_atomic(folder / MANIFEST, json.dumps(changed, indent=1, ensure_ascii=False))
