"""The errors a person sees. Their text never holds text of a document, an identifier or a secret."""

from __future__ import annotations

import os
import traceback
from pathlib import Path


class PreceptorError(Exception):
    """Something went wrong that a person can act on: one paragraph with what, where and what to do next."""

    exit_code = 1


class UsageError(PreceptorError):
    """The command or its configuration is wrong; nothing was started."""

    exit_code = 2


class GateRefused(PreceptorError):
    """A gate (quality, evaluation, approval, policy) said no; nothing was changed."""

    exit_code = 3


def kind_and_place(error: BaseException) -> str:
    """What may be said of an error that nobody foresaw: its kind, what the system says of it, and the line that it came from. Its
    own text may be that of a document.

    >>> kind_and_place(FileNotFoundError(2, "Quillfeather, Ines.txt"))
    'FileNotFoundError (No such file or directory)'
    """
    said = type(error).__name__
    if isinstance(error, OSError) and error.errno:
        said += f" ({os.strerror(error.errno)})"
    frames = traceback.extract_tb(error.__traceback__)
    return f"{said}, at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else said
