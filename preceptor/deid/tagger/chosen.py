"""Which tagger a setting means. Apart from the stage that trains one, whose import brings torch along."""

from __future__ import annotations

from pathlib import Path

from preceptor.errors import UsageError
from preceptor.settings import DeidSettings, resolve_path
from preceptor.versions import latest

STAGE, FILE = "phi-tagger", "model.onnx"
TRAINED, NO_TAGGER = "trained", "none"  # values of the setting deid.tagger


def chosen_tagger(name: str, root: Path) -> str:
    """What a setting's name stands for in a home: `trained` is the newest version of the stage, a path a file, and nothing
    (the tagger that comes with Preceptor) and `none` stand for themselves.

    Raises `UsageError` if none was trained.
    """
    if name == TRAINED:
        version = latest(root, STAGE)
        if version is None:
            raise UsageError(
                "deid.tagger is `trained`, but no tagger was trained in this home (rule no-tagger): `preceptor deid train` "
                "or the job tagger_training makes one."
            )
        return str(version.path / FILE)
    return name if name in ("", NO_TAGGER) else str(resolve_path(name))


def with_chosen_tagger(settings: DeidSettings, root: Path) -> DeidSettings:
    """The settings with the tagger that theirs stands for in a home. Raises `UsageError` as `chosen_tagger` does."""
    return settings.model_copy(update={"tagger": chosen_tagger(settings.tagger, root)})
