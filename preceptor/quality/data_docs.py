"""Great Expectations' Data Docs of all verdicts: one site among the reports, which asks nothing of the network.

The pages that the library writes load their styles and scripts from elsewhere and name this installation to them. Those
references are taken out and a small style sheet of ours is put in: a hospital's page may not call outside.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from preceptor.errors import PreceptorError
from preceptor.locks import exclusive
from preceptor.versions import write_atomic

FOLDER = "data-docs"  # among the reports
_PATIENCE = 300.0  # seconds; one result takes a few
_STORE, _STORE_ID = "store", "store_backend_id = "
_STYLES = "static/styles/preceptor.css"
_OUTSIDE = re.compile(
    r"<link\b[^>]*\bhref=\"https?://[^>]*>|<script\b[^>]*\bsrc=\"https?://[^>]*>\s*</script>"
    r"|<img\b[^>]*\bsrc=\"https?://[^>]*>|<footer\b.*?</footer>|url\('https?://[^']*'\)",
    re.S,
)
_CSS = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 75rem; padding: 1rem; color: #1b1f23; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; }
th, td { border: 1px solid #d0d7de; padding: .35rem .6rem; text-align: left; vertical-align: top; }
th { background: #f3f5f7; } a { color: #0b5cad; } nav, .breadcrumb { margin-bottom: 1rem; }
.breadcrumb, .nav { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .3rem 1rem; }
.badge-success, .text-success { color: #0a6b2d; } .badge-danger, .text-danger { color: #b3261e; font-weight: 600; }
.modal, .d-none, .navbar-toggler, #ge-cta-footer { display: none; } pre { white-space: pre-wrap; }
"""


def context(root: Path | None) -> Any:
    """A context of Great Expectations whose results and site are kept under `root`, or nowhere."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    if root:
        _drop_halves(root / _STORE)
    made = gx.get_context(project_config=_config(root)) if root else gx.get_context(mode="ephemeral")
    made.variables.progress_bars = ProgressBarsConfig(globally=False)
    return made


def alone(root: Path) -> AbstractContextManager[None]:
    """One process at a time: the library writes its files in place, so that another would read half of one."""
    busy = PreceptorError(
        f"Another process has been writing the Data Docs in {root} for minutes (rule docs-busy)."
    )
    return exclusive(root / ".lock", busy, patience=_PATIENCE)


def _drop_halves(store: Path) -> None:
    """Remove what a kill or a full disk left half written: the library writes in place, and never opens again with a half
    file. All of it is written anew; what was decided is in our own verdicts."""
    for path in store.rglob("*"):
        if path.name == ".ge_store_backend_id" and _STORE_ID not in path.read_text(
            encoding="utf-8", errors="replace"
        ):
            path.unlink()
        elif path.suffix == ".json":
            try:
                json.loads(path.read_bytes())
            except ValueError:
                path.unlink()


def _config(root: Path) -> Any:
    from great_expectations.data_context.types.base import DataContextConfig, FilesystemStoreBackendDefaults

    return DataContextConfig(
        store_backend_defaults=FilesystemStoreBackendDefaults(root_directory=str(root / _STORE)),
        analytics_enabled=False,
        data_docs_sites={
            "docs": {
                "class_name": "SiteBuilder",
                "show_how_to_buttons": False,
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
                "store_backend": {
                    "class_name": "TupleFilesystemStoreBackend",
                    "base_directory": str(root / "site"),
                },
            }
        },
    )


def docs_of(reports: Path) -> Path:
    """Where the Data Docs are among the reports of a home."""
    return reports / FOLDER


def build(made: Any, root: Path, suite: str, run_id: Any, batch: str) -> Path:
    """Build the pages of one result and the index; return the index."""
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    made.build_data_docs(
        resource_identifiers=[
            ValidationResultIdentifier(ExpectationSuiteIdentifier(name=suite), run_id, batch),
            ExpectationSuiteIdentifier(name=suite),
        ]
    )
    site = index(root).parent
    write_atomic(site / _STYLES, _CSS)
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        if _STYLES not in text:
            depth = len(page.relative_to(site).parts) - 1
            link = f'<link rel="stylesheet" href="{"../" * depth}{_STYLES}"></head>'
            write_atomic(page, _OUTSIDE.sub("", text).replace("</head>", link, 1))
    return index(root)


def index(root: Path) -> Path:
    """The first page."""
    return root / "site" / "index.html"
