"""The errors a person sees. Their text never holds text of a document, an identifier or a secret."""

from __future__ import annotations


class PreceptorError(Exception):
    """Something went wrong that a person can act on: one paragraph with what, where and what to do next."""

    exit_code = 1


class UsageError(PreceptorError):
    """The command or its configuration is wrong; nothing was started."""

    exit_code = 2


class GateRefused(PreceptorError):
    """A gate (quality, evaluation, approval, policy) said no; nothing was changed."""

    exit_code = 3
