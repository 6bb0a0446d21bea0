"""One bundle: weights, card, provenance, proof and checksums, written beside its place and renamed: whole or not at all."""

from __future__ import annotations

import json
import shutil
import tarfile
import uuid
from pathlib import Path
from typing import Any

from preceptor.errors import PreceptorError, UsageError
from preceptor.serving.export import platforms, prove
from preceptor.serving.export.gguf_file import TYPES, write_gguf
from preceptor.serving.export.proof import TOLERANCES, expectations
from preceptor.serving.versions import Version
from preceptor.training.merging import merge
from preceptor.versions import file_sha256

KINDS = ("hf", "gguf", "vllm-bundle", "ollama-bundle", "sagemaker", "azureml")
SUMS = "SHA256SUMS"
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
_WEIGHTS = "merged", "adapter"


def make_bundle(
    version: Version, kind: str, out: Path, card: str, *, weights: str = "merged", gguf_type: str = "f16"
) -> dict[str, Any]:
    """Write a bundle to `out`, which must not exist, and return what its proof found here.

    `weights` (`merged`, or `adapter` of hf) and `gguf_type` (f16, f32, q8_0) say how the weights are kept. Raises
    `UsageError` for a choice that does not go with the kind, `PreceptorError` if the bundle does not answer as the evaluated
    model does: then nothing is left.
    """
    if weights not in _WEIGHTS or (weights == "adapter" and (kind != "hf" or version.model.adapter is None)):
        raise UsageError(
            "--weights adapter goes with --to hf and a version that is an adapter; else leave it out."
        )
    if gguf_type not in TYPES:
        raise UsageError(f"--type is one of {', '.join(TYPES)}.")
    if out.exists():
        raise UsageError(f"{out} exists already; name a folder that does not.")
    out.parent.mkdir(parents=True, exist_ok=True)
    for left in out.parent.glob(f".{out.name}.*.part"):
        shutil.rmtree(left)  # of an export that was killed
    part = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}.part")
    part.mkdir()
    try:
        how, tolerance = _fill(version, kind, part, weights, gguf_type)
        proof = {
            "model": version.info.ref,
            "digest": version.info.digest,
            "load": how,
            "tolerance": tolerance,
            "cases": expectations(version.model),
        }
        _write(part / "proof.json", proof)
        shutil.copy(Path(prove.__file__), part / "prove.py")
        (part / "requirements.txt").write_text(platforms.requirements())
        (part / "MODEL_CARD.md").write_text(card, encoding="utf-8")
        if kind == "hf":
            (part / "README.md").write_text(card, encoding="utf-8")
        _write(part / "provenance.json", _provenance(version, kind))
        found = _proved(part, proof, version)
        _sums(part)
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return found


def _fill(
    version: Version, kind: str, part: Path, weights: str, gguf_type: str
) -> tuple[dict[str, Any], float]:
    """Write the weights and what the platform wants; return how the proof loads them, and its tolerance."""
    name = platform_name(version.info.ref)
    if weights == "adapter":
        assert version.model.adapter is not None
        for file in _ADAPTER_FILES:
            shutil.copy(version.model.adapter / file, part / file)
        _tokenizer(version, part)
        how = {
            "format": "adapter",
            "path": ".",
            "base": version.base.name,
            "base_digest": version.base.digest,
        }
        return how, TOLERANCES["float32"]
    if kind in ("gguf", "ollama-bundle"):
        merged = part / "merged"
        _merged(version, merged)
        file = f"model-{gguf_type}.gguf"
        write_gguf(merged, part / file, gguf_type, version.info.ref)
        # The merge itself rounds to the base's format, and then the file to its own.
        tolerance = max(TOLERANCES[gguf_type], _tolerance(merged))
        if kind == "ollama-bundle":
            from transformers import AutoTokenizer

            platforms.ollama_files(part, AutoTokenizer.from_pretrained(merged), file)
        shutil.rmtree(merged)
        return {"format": "gguf", "path": ".", "file": file}, tolerance
    if kind == "hf":
        moved = part / "merged"
        _merged(version, moved)
        tolerance = _tolerance(moved)
        for path in moved.iterdir():
            path.rename(part / path.name)
        moved.rmdir()
        return {"format": "hf", "path": "."}, tolerance
    model = part / "model"
    _merged(version, model)
    tolerance = _tolerance(model)
    how = {"format": "hf", "path": "model"}
    if kind == "vllm-bundle":
        platforms.vllm_files(part, name)
    elif kind == "azureml":
        platforms.azure_files(part, name)
    else:
        platforms.sagemaker_files(model / "code")
        with tarfile.open(part / "model.tar.gz", "w:gz") as packed:
            for path in sorted(model.rglob("*")):
                packed.add(path, path.relative_to(model).as_posix(), recursive=False)
        shutil.rmtree(model)
        how = {"format": "hf", "path": ".", "archive": "model.tar.gz"}
    return how, tolerance


def _merged(version: Version, out: Path) -> None:
    """Full weights: the adapter merged into its base, or the version's own."""
    if version.model.adapter:
        merge(version.model.path, version.model.adapter, out)
    else:
        out.mkdir()
        for path in version.model.path.iterdir():
            if path.name.startswith(
                ("model", "config", "generation_config", "tokenizer", "chat_template", "special_")
            ):
                shutil.copy(path, out / path.name)
    for ours in ("preceptor-source.json", "manifest.json"):
        (out / ours).unlink(missing_ok=True)


def _tokenizer(version: Version, out: Path) -> None:
    from transformers import AutoTokenizer

    AutoTokenizer.from_pretrained(version.model.path).save_pretrained(out)


def _tolerance(checkpoint: Path) -> float:
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    return TOLERANCES[config.get("dtype") or config.get("torch_dtype") or "float32"]


def _proved(part: Path, proof: dict[str, Any], version: Version) -> dict[str, Any]:
    """Ask the bundle here, with the same code that goes along."""
    import tempfile

    with tempfile.TemporaryDirectory(dir=part.parent) as unpacked:
        where = part
        if archive := proof["load"].get("archive"):
            where = Path(unpacked)
            with tarfile.open(part / archive) as packed:
                packed.extractall(where, filter="data")
        found = prove.compare(prove.load(where, proof["load"], version.base.path), proof)
    if not found["proved"]:
        raise PreceptorError(
            f"The bundle of {version.info.ref} does not answer as the evaluated model does: a logit differs by "
            f"{found['largest_difference']:.3g} of their range, {found['tolerance']:g} is allowed, and "
            f"{found['clear_choices_that_differ']} clear choices are others (rule proof). Nothing was left; try another --type."
        )
    return found


def _provenance(version: Version, kind: str) -> dict[str, Any]:
    info = version.info
    return {
        "model": info.ref,
        "digest": info.digest,
        "kind": kind,
        "base_model": version.bundle["base_model"],
        "data": info.data,
        "recipe": version.bundle["recipe"],
        "code": version.bundle["code"],
        "lock": version.bundle["lock"],
        "evaluation": info.evaluation,
        "seeds": version.bundle["seeds"],
    }


def _sums(folder: Path) -> None:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    lines = [f"{file_sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


def platform_name(ref: str) -> str:
    """A reference as platforms take names: `preceptor-3`."""
    return "".join(c if c.isalnum() else "-" for c in ref).strip("-").lower()
