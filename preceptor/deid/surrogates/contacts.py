"""E-mail addresses, user names and web addresses: made of the stand-ins of the names they are made of."""

from __future__ import annotations

import regex

from preceptor.deid.surrogates import origins, pools
from preceptor.deid.surrogates.draws import Draws
from preceptor.deid.surrogates.names import Names
from preceptor.deid.tokens import fold

_LETTERS = regex.compile(r"\p{L}+")
_AT = regex.compile(r"@|\s+at\s+")
_URL = regex.compile(r"(?i)(https?://)?(www\.)?[^/\s]*(/\S+)?")


class Contacts:
    """The stand-ins for one patient's electronic addresses."""

    def __init__(self, draws: Draws, names: Names) -> None:
        self._draws, self._names = draws, names

    def email(self, value: str) -> str:
        """The local part made anew, at a domain that nobody can own (RFC 2606)."""
        domain = ("example.org", "example.net", "example.com")[self._draws.number("domain", fold(value)) % 3]
        local = self.username(_AT.split(value)[0])
        new = f"{local}@{domain}"
        return new.upper() if value.isupper() else new

    def username(self, value: str) -> str:
        """Names and parts of names in it become their stand-ins', digits other digits; one without a name is drawn.

        "wgrace58" of Will Grace, who is now Carl Dunn, becomes "cdunn" and two digits.
        """
        new = _LETTERS.sub(lambda m: self._letters(m.group()) or m.group(), value)
        if new == value:
            drawn = origins.plain(self._draws.choose("user", fold(value), pools.census_pool("last", "")))
            new = drawn.lower() if not value.isupper() else drawn.upper()
            new += "".join(c for c in value if c.isdigit())
        return "".join(self._digit(value, n, c) if c.isdigit() else c for n, c in enumerate(new))

    def url(self, value: str) -> str:
        """An address at a host that cannot exist (RFC 2606), with scheme and path where there were some."""
        m = _URL.match(value)
        host = origins.plain(self._draws.choose("url", fold(value), pools.words("places"))).lower()
        scheme, www, path = m.groups() if m else (None, None, None)
        return f"{scheme or ''}{www or ''}{host}.example.org" + (
            f"/{self._draws.number('path', fold(value)) % 10**6}" if path else ""
        )

    def _letters(self, run: str) -> str | None:
        """A run of letters with the known names in it replaced; nothing if there is none in it."""
        low, out, at, seen = fold(run), [], 0, False
        if len(low) != len(run):
            return None
        loose = ""
        while at < len(low):
            word = next((w for w in self._names.known_words if len(w) >= 3 and low.startswith(w, at)), None)
            part = word or self._beginning(low[at:])
            if part is None:
                loose += low[at]
                at += 1
                continue
            drawn = "".join(c for c in fold(origins.plain(self._names.word(word or part))) if c.isalpha())
            drawn = drawn if word else drawn[: len(low) - at]
            out += [*self._initials(loose, word or part), drawn]
            loose, seen = "", True
            at = at + len(word) if word else len(low)
        if not seen:
            return None
        out += self._initials(loose, "")
        new = "".join(out)
        return new.upper() if run.isupper() else new

    def _beginning(self, rest: str) -> str | None:
        """The known surname that the rest of a user name is the beginning of: "brathw" of Brathwaite."""
        if len(rest) < 4:
            return None
        return next(
            (w for w in self._names.known_words if w.startswith(rest) and self._names.is_last(w)), None
        )

    def _initials(self, letters: str, beside: str) -> list[str]:
        return [fold(self._names.replace(f"{c.upper()} {beside}".strip()))[:1] for c in letters]

    def _digit(self, value: str, place: int, digit: str) -> str:
        new = self._draws.number("user-digit", f"{fold(value)}\x1f{place}") % 9
        return str(new + (new >= int(digit)))
