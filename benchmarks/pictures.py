"""The pictures in docs/pictures, from a promoted demo home: `python benchmarks/pictures.py HOME [--dagster URL]`.

HOME is a copy that may be changed (people and a comparison are added), with the bundled fictional corpus and nothing else in it.
With `--dagster`, the address of `preceptor --home HOME ui`, Dagster's pages are taken too. Chromium without a screen takes
them, at desktop and phone width; Pillow brings them to 256 colours.
"""

from __future__ import annotations

import argparse
import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from preceptor.errors import UsageError
from preceptor.privacy.looking import clean_version
from preceptor.privacy.reviews import items
from preceptor.release import users
from preceptor.review import comparisons
from preceptor.review.app import application, house_of
from preceptor.review.visit import House
from preceptor.settings import Workspace, load_settings

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
WIDTHS = {"desktop": 1200, "phone": 390}
TALLEST = {"desktop": 1500, "phone": 1700}  # pixels of a long page that are shown
LARGEST = 200_000  # bytes
SETTLES = 12.0  # seconds until Dagster's page has asked for all that it shows
GROUPS = (
    "1_intake", "2_deidentify", "3_curate", "4_synthesize", "5_train", "6_evaluate", "7_release", "8_monitor",
)  # fmt: skip
_PEOPLE = {
    "rita": ("reviewer", "Dr Rita Lund"),
    "ana": ("approver", "Dr Ana Berg"),
    "pia": ("privacy", "Pia Santos"),
}


def keep(shot: bytes, name: str) -> None:
    """Write a picture in 256 colours. Raises `ValueError` for one that is too large for the repository."""
    picture, small = Image.open(io.BytesIO(shot)).convert("RGB"), io.BytesIO()
    picture.quantize(256, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    if len(small.getvalue()) > LARGEST:
        raise ValueError(f"{name}.png would have {len(small.getvalue())} bytes, more than {LARGEST}")
    (FOLDER / f"{name}.png").write_bytes(small.getvalue())
    print(f"{name}.png: {picture.width} x {picture.height}, {len(small.getvalue()) // 1000} kB", flush=True)


def take(page: Page, name: str, tallest: int) -> None:
    """One page, from its top. Says so where it is wider than the window."""
    size = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight, innerWidth]"
    )
    if size[0] > size[2]:
        print(f"{name}: {size[0] - size[2]} px wider than the window")
    clip = {"x": 0, "y": 0, "width": size[2], "height": min(size[1], tallest)}
    keep(page.screenshot(full_page=True, clip=clip), name)


def review_pages(browser: Any, house: House, base: str) -> None:
    """The queue, a comparison, the release page and a de-identified document, by who may see them."""
    made, case = a_comparison(house)
    batch, version = clean_version(house.workspace.data, None)
    sampled = next(item for item in items(version, 50) if item.reason == "sample")
    pages = {
        "queue": ("ana", "/"),
        "comparison": ("rita", f"/comparisons/{made}/cases/{case}"),
        "release": ("ana", "/releases/preceptor/1"),
        "deid": ("pia", f"/deid/{batch}/{sampled.document_ref}"),
    }
    for kind, width in WIDTHS.items():
        for name, (who, path) in pages.items():
            context = browser.new_context(viewport={"width": width, "height": 900})
            context.add_cookies([{"name": house.cookie, "value": house.sessions.begin(who), "url": base}])
            page = context.new_page()
            page.set_default_timeout(300_000)
            page.goto(base + path)
            take(page, f"{name}-{kind}", TALLEST[kind])
            context.close()


def a_comparison(house: House) -> tuple[str, str]:
    """A comparison on the newest evaluation, and a case of it for the reviewer."""
    from preceptor.tables import read_rows
    from preceptor.versions import newest

    evaluation = newest(house.workspace.reports, "evaluation")
    rows = read_rows(evaluation.path / "predictions.parquet")
    cases = sorted({r["example_id"] for r in rows if r["arm"] == "finetuned"})
    made = comparisons.make(house.database, evaluation.name, ("finetuned", "base"), cases, 0.3, "ana")
    case = comparisons.next_case(house.database, made, "rita")
    assert case is not None
    return made, case


def dagster_pages(browser: Any, base: str) -> None:
    """The automation page, and the asset graph with its groups opened; Dagster has no narrow layout."""
    page = browser.new_context(viewport={"width": WIDTHS["desktop"], "height": 800}).new_page()
    page.set_default_timeout(300_000)
    page.goto(f"{base}/automation")
    page.get_by_text("approvals").first.wait_for(state="attached")
    time.sleep(SETTLES)
    take(page, "automation", 800)
    page.context.close()
    page = browser.new_context(viewport={"width": 1900, "height": 1000}).new_page()
    page.set_default_timeout(300_000)
    page.goto(f"{base}/asset-groups?expanded={','.join(f'global@global:{group}' for group in GROUPS)}")
    page.get_by_text("champion").first.wait_for(state="attached")
    page.get_by_role("button", name="Hide navigation").click()
    page.get_by_placeholder("Jump to").locator(
        "xpath=following::button[1]"
    ).click()  # the list beside the graph
    page.reload()  # which fits the graph to the window
    page.get_by_text("champion").first.wait_for(state="attached")
    time.sleep(SETTLES)
    take(page, "assets", 1000)
    page.context.close()


@contextmanager
def served(house: House) -> Iterator[str]:
    """The review app in this process, for as long as the block runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(application(house), port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def main() -> None:
    options = argparse.ArgumentParser(description="Take the pictures of the docs.")
    options.add_argument("home", type=Path)
    options.add_argument("--dagster", metavar="URL")
    options.add_argument("--only", choices=("review", "dagster"))
    options.add_argument("--chromium", default="/usr/bin/chromium", metavar="PATH")
    given = options.parse_args()
    house = house_of(Workspace(given.home), load_settings("demo", None))
    store = house.store()
    for name, (role, printed) in _PEOPLE.items():
        try:
            users.add(store, name, role, "correct horse battery", actor="pictures", printed_name=printed)
        except UsageError:  # the copy was used before
            continue
    store.close()
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright, served(house) as base:
        browser = playwright.chromium.launch(
            executable_path=given.chromium, args=["--no-sandbox"], timeout=300_000
        )
        if given.only != "dagster":
            review_pages(browser, house, base)
        if given.dagster and given.only != "review":
            dagster_pages(browser, given.dagster)
        browser.close()


if __name__ == "__main__":
    main()
