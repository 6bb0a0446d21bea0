"""`preceptor doctor`: is this machine ready, and is the configuration right?"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import click

from preceptor.cli._common import columns, emit, json_option, settings, workspace
from preceptor.errors import UsageError

Line = tuple[str, str, str]  # ok | warning | error, what was found, what to do about it


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check Python, cores, memory, disk, GPU, configuration, base model, key and ports; each with its remedy."""
    checks: dict[str, Callable[[], Line]] = {
        "python": _python,
        "cores": _cores,
        "memory": _memory,
        "disk": _disk,
        "gpu": _gpu,
        "configuration": _configuration,
        "base model": _base_model,
        "tagger": _tagger,
        "master key": _key,
        "patient lists": _patient_lists,
        "ocr": _ocr,
        "ports": _ports,
    }
    found = [
        {"check": name, **dict(zip(("state", "found", "remedy"), look(), strict=True))}
        for name, look in checks.items()
    ]
    rows = [(f["check"], f["state"], f["found"], f["remedy"]) for f in found]
    emit(found, as_json, columns(rows, ("check", "state", "found", "remedy")))
    if any(f["state"] == "error" for f in found):
        ctx.exit(1)


def _python() -> Line:
    version = ".".join(map(str, sys.version_info[:3]))
    good = (3, 11) <= sys.version_info[:2] < (3, 13)
    return ("ok", version, "") if good else ("error", version, "Use Python 3.11 or 3.12.")


def _cores() -> Line:
    count = os.cpu_count() or 1
    return (
        ("ok", str(count), "") if count >= 2 else ("warning", str(count), "The demo is made for two cores.")
    )


def _memory() -> Line:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    said = f"{total:.0f} GB"
    return ("ok", said, "") if total >= 8 else ("warning", said, "Training the demo model takes about 6 GB.")


def _disk() -> Line:
    folder = workspace().home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    said = f"{free:.0f} GB free for {folder}"
    return ("ok", said, "") if free >= 5 else ("error", said, "Free 5 GB, or name another --home.")


def _gpu() -> Line:
    import torch

    if not torch.cuda.is_available():
        return "ok", "none; the CPU is used", ""
    return "ok", f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}", ""


def _configuration() -> Line:
    try:
        return "ok", f"profile {settings().profile}", ""
    except UsageError as error:
        return "error", str(error), "Mend the file."


def _base_model() -> Line:
    from preceptor.models import kept_folder, load_catalogue

    try:
        name = settings().base_model
        catalogue = load_catalogue()
    except UsageError:
        return "error", "unknown", "Mend the configuration first."
    source = catalogue[name].source if name in catalogue else name
    if ":" not in source:
        return "error", name, "Name one of `preceptor models list`, or hf:…, path:…, pypi:…."
    if kept_folder(source, workspace()):
        return "ok", f"{name} is here", ""
    return "warning", f"{name} comes from {source} on first use", "Needs that source to be reachable then."


def _tagger() -> Line:
    from preceptor.deid.detection import tagger_of
    from preceptor.deid.tagger.chosen import chosen_tagger

    try:
        tagger = tagger_of(chosen_tagger(settings().deid.tagger, workspace().data))
    except UsageError as error:
        return "error", str(error), "Name a file of `preceptor deid train` in deid.tagger, or leave it empty."
    if tagger is None:
        return (
            "warning",
            "none: rules alone",
            "Leave deid.tagger empty for the one that comes with Preceptor.",
        )
    return "ok", f"version {tagger.digest}", ""


def _key() -> Line:
    from preceptor.keys import KEYRING
    from preceptor.vault.keyring import read_header, unlock
    from preceptor.vault.opening import provider_of

    path = workspace().vault / KEYRING
    if not path.exists():
        return _local_key()
    try:
        header = read_header(path)
        provider = provider_of(workspace(), header)
        unlock(path, provider)
    except UsageError as error:
        return "error", str(error), "docs/vault.md says where each kind of key is looked for."
    return _local_key() if header.provider == "local" else ("ok", provider.describe(), "")


def _local_key() -> Line:
    if os.environ.get("PRECEPTOR_MASTER_KEY") or os.environ.get("PRECEPTOR_MASTER_KEY_FILE"):
        return "ok", "from the environment", ""
    path: Path = workspace().keys / "master.key"
    if not path.exists():
        if (workspace().vault / "vault.db").exists():
            return "error", f"{path} is gone", "Restore it: the vault cannot be read without it."
        return (
            "warning",
            "none yet; one is made on first use",
            "Set PRECEPTOR_MASTER_KEY_FILE for real patients.",
        )
    if path.stat().st_mode & 0o077:
        return "error", f"others may read {path}", f"chmod 600 {path}"
    return (
        "warning",
        f"{path}, beside the vault",
        "Keep it elsewhere for real patients: PRECEPTOR_MASTER_KEY_FILE.",
    )


def _patient_lists() -> Line:
    from preceptor.consent import read_list

    try:
        intake = settings().intake
        counts = {name: len(read_list(path)) for name, path in _lists(intake.opt_out, intake.consent)}
    except UsageError as error:
        return "error", str(error), "Mend the file, or the settings intake.opt_out and intake.consent."
    return "ok", ", ".join(f"{name}: {count} patients" for name, count in counts.items()) or "none", ""


def _lists(opt_out: str | None, consent: str | None) -> list[tuple[str, str]]:
    return [(name, path) for name, path in (("opt-out", opt_out), ("consent", consent)) if path]


def _ocr() -> Line:
    from preceptor.documents.ocr import available

    try:
        wanted = settings().intake.ocr
    except UsageError:
        return "error", "unknown", "Mend the configuration first."
    if not wanted:
        return "ok", "off; scans are quarantined", ""
    if available():
        return "ok", "tesseract", ""
    return (
        "error",
        "on, but tesseract is not installed",
        "apt-get install tesseract-ocr, or intake.ocr: false.",
    )


def _ports() -> Line:
    from preceptor.cli.ui import PORTS, is_taken

    taken = [str(port) for port in PORTS.values() if is_taken(port)]
    if taken:
        return (
            "warning",
            f"in use: {', '.join(taken)}",
            "`preceptor ui` takes other ports with --dagster-port, --mlflow-port, --review-port.",
        )
    return "ok", ", ".join(map(str, PORTS.values())), ""
