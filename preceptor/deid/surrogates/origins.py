"""Where a name comes from, as far as its spelling tells, and names from there."""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache

import regex

from preceptor.deid.surrogates import pools
from preceptor.deid.tokens import fold

Kind = str  # `last`, `female` or `male`

# Endings that tell where a surname comes from although it is in no list.
_ENDINGS = (
    ("irish", r"(?:o'|mac)\p{L}{3,}|mc\p{L}{3,}"),
    ("polish", r"\p{L}+(?:ski|ska|cki|cka|wicz|czyk|niak|czak|owicz)"),
    ("russian", r"\p{L}{3,}(?:enko|chuk|ov|ova|yev|skiy|skaya|evich|kov|nkov)"),
    ("greek", r"\p{L}+(?:poulos|akis|idis|adis|yan|ian)"),
    ("spanish", r"\p{L}+(?:guez|quez|nez|rez|lez|dez|mez|anilla|intana|ueda|ondo|arza|orres)"),
    ("nordic", r"\p{L}+(?:sson|strom|qvist|quist|gaard|stad|rud)|\p{L}{4,}sen"),
    ("dutch", r"(?:van|ver|den|der)\p{L}{4,}|\p{L}+(?:stra|sma|ink)"),
    ("french", r"\p{L}+(?:eau|eaux|aux|ette|ault|oux|ieux)"),
    ("german", r"\p{L}+(?:berger|stein|mann|bach|burger|meier|meyer|hofer|schmidt|baum)"),
    ("italian", r"\p{L}{3,}(?:elli|ini|etti|ucci|acci|ello|etto|ucco|azzo|izzi)"),
    ("indian", r"\p{L}+(?:asamy|swamy|nathan|murthy|krishnan|raman|wala|preet|jeet|deep|inder)"),
    ("turkish", r"\p{L}+(?:oglu)"),
    ("arabic", r"(?:abdul|abdel|abu)\p{L}{3,}|\p{L}+(?:ullah|uddin|eddin)"),
    ("westafrican", r"(?:ok|ogu|oye|ade|olu|nwa|chukwu)\p{L}{4,}|\p{L}+(?:chukwu|kwu)"),
)
_BY_ENDING = tuple((origin, regex.compile(pattern)) for origin, pattern in _ENDINGS)


@cache
def _listed() -> dict[str, dict[Kind, tuple[str, ...]]]:
    found: dict[str, dict[Kind, tuple[str, ...]]] = {}
    origin = ""
    for line in pools.lines("origins"):
        if line.startswith("=="):
            origin = line.removeprefix("==").strip()
            found[origin] = {}
        else:
            kind, _, names = line.partition(":")
            found[origin][kind] = tuple(dict.fromkeys(names.replace("*", "").split()))
    return found


@cache
def _index() -> dict[tuple[Kind, str], tuple[str, ...]]:
    index: dict[tuple[Kind, str], tuple[str, ...]] = {}
    for origin, kinds in _listed().items():
        for kind, names in kinds.items():
            for name in names:
                key = (kind, fold(name))
                index[key] = (*index.get(key, ()), origin)
    return index


def listed(word: str, kind: Kind) -> tuple[str, ...]:
    """The origins in whose list of one kind a name is, in the order of the file."""
    return _index().get((kind, fold(word)), ())


@cache
def _shared() -> frozenset[str]:
    marked = (w for line in pools.lines("origins") for w in line.split() if w.endswith("*"))
    return frozenset(fold(w.removesuffix("*")) for w in marked)


def is_shared(first_name: str) -> bool:
    """Whether a listed first name is usual in English as well, so that only the surname beside it tells its origin."""
    return fold(first_name) in _shared()


def first_name_sex(word: str) -> str:
    """`F` or `M` by the lists, empty if they do not say or say both."""
    women, men = listed(word, "female"), listed(word, "male")
    return "" if bool(women) == bool(men) else "F" if women else "M"


@lru_cache(maxsize=4096)
def by_ending(surname: str) -> str:
    """The origin that a surname's ending tells, or nothing."""
    low = fold(surname)
    return next((origin for origin, pattern in _BY_ENDING if pattern.fullmatch(low)), "")


def told(name: str, kind: Kind) -> tuple[str, ...]:
    """The origins that a name tells: those of its lists, or for a surname in none of them that of its ending."""
    return listed(name, kind) or (kind == "last" and (ending := by_ending(name)) and (ending,)) or ()


@cache
def pool(origin: str, kind: Kind, hyphened: bool = False, prefix: str = "") -> tuple[str, ...]:
    """Names of an origin, those with a hyphen or those without, or what there is of either: Korean first names all have
    one. `prefix` ("o'", "mc") as the name has it."""
    usable = [n for n in _listed()[origin][kind] if pools.usable(n.replace("-", ""))]
    names = [n for n in usable if ("-" in n) == hyphened] or usable
    fitting = [n for n in names if fold(n).startswith(prefix)] if prefix else names
    return tuple(fitting or names)


def plain(name: str) -> str:
    """A name without its accents: a note that writes Nguyen gets no Đặng."""
    if name.isascii():
        return name
    bare = name.translate(str.maketrans("ĐđŁłØøıĞğ", "DdLlOoiGg"))
    return "".join(c for c in unicodedata.normalize("NFKD", bare) if not unicodedata.combining(c))
