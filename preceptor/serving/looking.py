"""What the log says of an answer's text beside its length: whether it declines, and identifiers in it that its prompt does
not have. Only the numbers go to the log.

Looking for identifiers takes some 15 ms for a short answer, so it is done after the row is written, in a thread of its own that
no request waits for. If answers come faster than it can look, or the server is killed, the column stays empty: not looked for.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from preceptor.settings import DeidSettings

_log = logging.getLogger(__name__)
_MOST_WAITING = 128  # answers, whose texts are in memory until then
_LONGEST_REFUSAL = 60  # words; a longer text that says so somewhere answers all the same


def abstains(answer: str) -> bool:
    """Whether an answer is empty, or a short one that says it cannot tell.

    >>> abstains("There is not enough information to answer."), abstains("Troponin negative. Discharged home.")
    (True, False)
    """
    from preceptor.evaluation.reasoning import declines

    return not answer.strip() or (len(answer.split()) <= _LONGEST_REFUSAL and declines(answer))


def leak_hits(prompt: str, answer: str, settings: DeidSettings) -> int:
    """How many direct identifiers the recognisers of de-identification find in an answer that do not stand in the prompt as the
    client sent it. What retrieval showed counts: it is another patient's."""
    from preceptor.deid.detection import detector_of
    from preceptor.deid.searching import Searchable
    from preceptor.deid.unshown import unshown

    spans = detector_of(settings).spans([answer])[0]
    return len({value for _, value in unshown(answer, spans, Searchable(prompt))})


class Looker:
    """Looks at answers one after the other, behind the requests. `note(request_id, day, hits)` takes what it finds."""

    def __init__(self, settings: DeidSettings, note: Callable[[str, str, int], None]) -> None:
        self._settings, self._note = settings, note
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="looker")
        self._places = threading.Semaphore(_MOST_WAITING)

    def look(self, request_id: str, day: str, prompt: str, answer: str) -> None:
        """Look at an answer some time soon, unless too many wait."""
        if self._places.acquire(blocking=False):
            self._thread.submit(self._look, request_id, day, prompt, answer)

    def close(self) -> None:
        """Finish with the one that is looked at, and look at no more."""
        self._thread.shutdown(cancel_futures=True)

    def _look(self, request_id: str, day: str, prompt: str, answer: str) -> None:
        try:
            self._note(request_id, day, leak_hits(prompt, answer, self._settings))
        except Exception as error:  # its message may quote the text
            _log.error("an answer could not be looked at: %s", type(error).__name__)
        finally:
            self._places.release()
