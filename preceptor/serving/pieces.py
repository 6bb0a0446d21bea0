"""From tokens to the text that a client may already see: no half characters, nothing that may become a stop string."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_HALF = "\ufffd"  # what a tokenizer writes for bytes of a character that is not whole yet
_WINDOW = 8  # tokens decoded again each time, since some tokenizers join neighbours


class TextStream:
    """`push` tokens as they come and get new text; `finish` gives what was held back. `stopped`: a stop string came."""

    def __init__(self, tokenizer: Any, stop: Sequence[str] = ()) -> None:
        self._tokenizer, self._stop = tokenizer, tuple(stop)
        self._ids: list[int] = []
        self._done = 0  # tokens whose text is in `text` for good
        self.text = ""
        self._shown = 0
        self.stopped = False

    def push(self, token: int) -> str:
        self._ids.append(token)
        start = max(0, self._done - _WINDOW)
        before = self._decode(self._ids[start : self._done])
        now = self._decode(self._ids[start:])
        if now.endswith(_HALF) and len(self._ids) - self._done < _WINDOW:
            return ""
        self.text += now[len(before) :]
        self._done = len(self._ids)
        return self._show(final=False)

    def finish(self) -> str:
        if not self.stopped and self._done < len(self._ids):
            start = max(0, self._done - _WINDOW)
            self.text += self._decode(self._ids[start:])[len(self._decode(self._ids[start : self._done])) :]
            self._done = len(self._ids)
        return self._show(final=True)

    def _decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=True)

    def _show(self, final: bool) -> str:
        if not self.stopped:
            places = [at for stop in self._stop if (at := self.text.find(stop)) >= 0]
            if places:
                self.text, self.stopped = self.text[: min(places)], True
        until = len(self.text) if final or self.stopped else len(self.text) - self._held()
        piece, self._shown = self.text[self._shown : until], max(self._shown, until)
        return piece

    def _held(self) -> int:
        """The longest end of the text that a stop string begins with."""
        lengths = [n for stop in self._stop for n in range(1, len(stop)) if self.text.endswith(stop[:n])]
        return max(lengths, default=0)
