"""Numbers of the same shape that nobody has: never a number that a check digit or an issuer's rule lets pass."""

from __future__ import annotations

from collections.abc import Iterable

import regex

from preceptor.deid.recognizers.check_digits import is_dea, is_npi, is_ssn, is_vin, luhn
from preceptor.deid.surrogates import number_words, pools
from preceptor.deid.surrogates.draws import Draws
from preceptor.deid.surrogates.switches import Switches

_PHONES = ("PHONE", "FAX")
# Words that say what the number is; they stay.
_CUES = frozenset(
    "vin sn mrn npi dea ssn id no num lot ref acct acc ext x extn rm dash hyphen slash dot period tel fax cell iban mac "
    "serial model number license lic plate udi dob mr ms pt plan member group policy claim".split()
)
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXY"
_MBI = regex.compile(
    r"(?i)[1-9][ac-hj-km-np-rt-y][ac-hj-km-np-rt-y0-9]\d[ac-hj-km-np-rt-y][ac-hj-km-np-rt-y0-9]\d[ac-hj-km-np-rt-y]{2}\d{2}"
)
_SPOKEN = rf"\b(?:{'|'.join((*number_words.TENS, *number_words.ONES, 'oh'))})\b"
_SPOKEN_OR_LETTER = regex.compile(rf"{_SPOKEN}|\b\p{{L}}\b", regex.I)
_WORDS_AND_DIGITS = regex.compile(r"\p{L}{2,}|[\p{L}\d]")
_RUN = regex.compile(r"[\p{L}\d]+")


def could_be_real(value: str) -> bool:
    """Whether a value passes as an SSN, NPI, DEA number, payment card, VIN or Medicare number (MBI).

    Sources: preceptor/deid/recognizers/check_digits.py; cards ISO/IEC 7812 (13 to 19 digits, Luhn); the MBI's format
    from CMS, "Understanding the MBI" (it has no check digit, so the form itself is avoided).
    """
    pieces = _RUN.findall(value)
    runs = {*pieces, "".join(pieces), "".join(c for c in value if c.isdigit())}
    return any(
        is_npi(run)
        or len(run) == 9
        and (is_ssn(run) if run.isdigit() else is_dea(run))
        or run.isdigit()
        and 13 <= len(run) <= 19
        and luhn(run)
        or is_vin(run)
        or bool(_MBI.fullmatch(run))
        for run in runs
    )


class Numbers:
    """The stand-ins for one patient's numbers. `known`: (type, text) of all his numbers, to find a part of one."""

    def __init__(self, draws: Draws, switches: Switches, known: Iterable[tuple[str, str]]) -> None:
        self._draws, self._switches = draws, switches
        pairs = [(_family(t), _national(_family(t), _run(v))) for t, v in known]
        self._known = sorted({p for p in pairs if p[1]}, key=lambda p: (-len(p[1]), p))
        self._taken = {run for _, run in self._known}

    def replace(self, type: str, value: str) -> str:
        """The same layout in other digits and letters; the same number in another layout gets the same digits.

        The last four of a known SSN, and a telephone number without its area code, become the end of its stand-in.
        """
        family, run = _family(type), _run(value)
        if not run:
            return self._without_digits(type, value)
        whole = self._whole(family, run)
        self._switches.mention(f"{family}\x1f{whole}")
        new = self._stand_in(family, whole)
        if new is None:
            return f"[{type}]"
        chars = iter(run[: max(0, len(run) - len(new))] + new[max(0, len(new) - len(run)) :])
        return _WORDS_AND_DIGITS.sub(
            lambda m: m.group() if _stays(m.group()) else _filled(m.group(), chars), value
        )

    def _whole(self, family: str, run: str) -> str:
        """The known number that `run` is the end of, or itself."""
        run = _national(family, run)
        if family == "PHONE" and len(run) == 7 or family == "SSN" and len(run) == 4:
            return next(
                (k for f, k in self._known if f == family and len(k) > len(run) and k.endswith(run)), run
            )
        return run

    def _stand_in(self, family: str, run: str) -> str | None:
        for turn in range(400):
            new = self._candidate(family, run, turn)
            if new != run and new not in self._taken and not could_be_real(new):
                return new
            if len(run) == 1 and new != run:
                return new
        return None

    def _candidate(self, family: str, run: str, turn: int) -> str:
        key = self._switches.key(f"{family}\x1f{run}", run)
        bits, out = self._draws.number(family.lower(), key, turn), []
        for n, c in enumerate(run):
            if n and n % 16 == 0:
                bits = self._draws.number(family.lower(), f"{key}\x1f{n}", turn)
            if c.isdigit():
                bits, d = divmod(bits, 10)
                out.append(str(d))
            elif c.isalpha():
                bits, d = divmod(bits, len(_LETTERS))
                out.append(_LETTERS[d])
        new = "".join(out)
        if family == "PHONE" and new.isdigit() and len(run) in (7, 10):
            # 555-0100 to 555-0199 are set aside for fiction in every area code (NANPA); 2 to 9 begin one.
            area = str(2 + int(new[0]) % 8) + new[1:3] if len(run) == 10 else ""
            return area + "55501" + new[-2:]
        if family == "SSN" and new.isdigit() and len(run) == 9:
            # Areas 900 to 999 are never given out, and the IRS's own numbers there (ITIN) have groups of 50 or more.
            return f"9{new[1:3]}{int(new[3]) % 5}{new[4:]}"
        return new

    def _without_digits(self, type: str, value: str) -> str:
        """Numbers that were dictated, and names of vessels or plans."""
        if _SPOKEN_OR_LETTER.search(value):
            place = iter(range(10**6))

            def other(m: regex.Match) -> str:
                word, n = m.group().lower(), next(place)
                turn = self._draws.number("spoken", f"{value.casefold()}\x1f{n}")
                if len(word) == 1:
                    letters = [c for c in _LETTERS if c != word.upper()]
                    return _case(letters[turn % len(letters)], m.group())
                group = number_words.TENS if word in number_words.TENS else number_words.ONES[1:10]
                return _case([w for w in group if w != word][turn % (len(group) - 1)], m.group())

            return _SPOKEN_OR_LETTER.sub(other, value)
        drawn = self._draws.choose("thing", value.casefold(), pools.words("places"))
        return _case(drawn, value)


def _stays(word: str) -> bool:
    """Cue words, and the x's that hide a number's beginning: xxx-xx-1234."""
    if len(word) == 1:
        return word == "x"
    low = word.casefold()
    return low in _CUES or not low.strip("x")


def _national(family: str, run: str) -> str:
    """A telephone number without the 1 of North America before it."""
    return run[1:] if family == "PHONE" and len(run) == 11 and run[0] == "1" else run


def _run(value: str) -> str:
    """The digits and letters that make up a number, without cue words; empty if it has no digit."""
    kept = "".join(w for w in _WORDS_AND_DIGITS.findall(value) if not _stays(w))
    return kept.upper() if any(c.isdigit() for c in kept) else ""


def _filled(word: str, chars: Iterable[str]) -> str:
    return "".join(_case(c, w) for w, c in zip(word, chars, strict=False))


def _family(type: str) -> str:
    return "PHONE" if type in _PHONES else type


def _case(new: str, like: str) -> str:
    if like.isupper():
        return new.upper()
    return new.lower() if like.islower() else new
