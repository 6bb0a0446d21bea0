"""Streets, cities, ZIP codes, hospitals, organisations, rooms and wards."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import regex

from preceptor.deid.recognizers.rule import Recognizer, RuleRecognizer, one_of, rule
from preceptor.deid.tokens import Token, fold, tokenize
from preceptor.deid.words import clinical_words, is_ordinary, lexicon
from preceptor.records import Span

_STATES = (
    "Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho|Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|"
    "Michigan|Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio|Oklahoma|Oregon|Pennsylvania|Rhode Island|"
    "South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington|West Virginia|Wisconsin|Wyoming|Puerto Rico"
)
_ABBR = "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC|PR"
_COUNTRIES = "Mexico|Canada|China|India|Japan|Korea|Vietnam|Philippines|Brazil|Colombia|Peru|Chile|Argentina|Cuba|Haiti|Guatemala|Honduras|El Salvador|Nicaragua|Poland|Germany|France|Italy|Spain|Portugal|England|Scotland|Wales|Ireland|Ukraine|Russia|Iraq|Iran|Syria|Lebanon|Egypt|Nigeria|Ghana|Kenya|Ethiopia|Eritrea|Somalia|Afghanistan|Pakistan|Bangladesh|Nepal|Thailand|Turkey|Greece|Samoa|Tonga|Australia|New Zealand|South Africa|Jamaica|Dominican Republic|Ecuador|Venezuela|Laos|Cambodia|Myanmar|Burma|Kuwait"
_SUFFIX = r"(?:Street|St|Avenue|Ave|Av|Road|Rd|Drive|Dr|Lane|Ln|Boulevard|Blvd|Court|Ct|Place|Pl|Way|Circle|Cir|Terrace|Ter|Trail|Trl|Parkway|Pkwy|Pike|Highway|Hwy|Square|Sq|Loop|Row|Alley|Crescent|Close|Plaza|Landing|Ridge|Run|Turnpike|Tpke|Crossing|Bend|Hollow|Path|Route|Cove|Point|Commons|Walk|Mews|Gardens|Grove|Heights|Quay|Wharf)"
_CAP = r"[\p{Lu}\d][\p{L}\d'’.-]*"
_UNIT = r"(?:,? ?(?:(?:Apt|Apartment|Unit|Suite|Ste|Lot|Bldg|Building|Floor|Fl|Trailer|Space|Rm)\.? ?#?[\w-]+|#\w+))?"
_QUAD = r"(?: (?:NW|NE|SW|SE|N|S|E|W)\b\.?)?"
_LINK = r"(?:(?:of|the|and|&|for|at|de|la|del|on|in|-) )"
_HOSPITAL = (
    r"(?:Hospital|Hosp|Medical Cent(?:er|re)|Med Ctr|Clinics?|Health(?:care)?(?: (?:System|Cent(?:er|re)|Network|Partners|Services))?|Infirmary|Heart(?: (?:Institute|Cent(?:er|re)|Group|Clinic))?|Institute|Imaging|Radiology|Rehab(?:ilitation)?(?: (?:Center|Hospital))?|"
    r"Orthop(?:a)?edics?|Ortho|Cardiology(?: (?:Associates|Group|Clinic|Partners))?|Hospice|Memorial|Regional|General|Manor|Nursing(?: (?:Home|Center))?|Care Cent(?:er|re)|Urgent Care|Surgery Center|Surgical Center|Dialysis|Vet Center|VA(?:MC)?|Behavioral Health|Behavioural Health|Counsel(?:l)?ing(?: Center| Services)?|Recovery(?: Center)?|"
    r"Psychiatr(?:y|ic)(?: (?:Associates|Center|Hospital))?|Mental Health(?: (?:Center|Services))?|SNF|Sports Medicine|Spine(?: (?:Center|Institute))?|Wellness(?: Center)?|Pediatrics|Family (?:Medicine|Practice|Health)|Physio(?:therapy)?|Physical Therapy|Medicine|Vascular|Laborator(?:y|ies)|Labs?|Diagnostics|Bone & Joint|Joint Center|Pharmacy|Assisted Living|Home Health|Residence|Villa|Lodge|House)"
)
_ORG = (
    r"(?:High School|Middle School|Elementary(?: School)?|School|University|Univ|College|Academy|Church|Temple|Mosque|Synagogue|Parish|Cathedral|Chapel|Ministries|Inc\.?|LLC|Ltd|Corp\.?|Company|Co\.|& Sons?|Bros|Foundation|Foundry|Mill|Mills|Factory|Warehouse|Farms?|Dairy|Ranch|Brewing|Brewery|Bakery|Roofing|Construction|Trucking|Logistics|Freight|Plumbing|Electric|Analytics|Insurance|Bank|Credit Union|"
    r"Union|Local \d+|Market|Grocery|Foods|Diner|Cafe|Café|Restaurant|Grill|Deli|Library|Museum|Theat(?:er|re)|Police(?: Department)?|Fire(?: Department)?|Sheriff(?:'s Office)?|County|Transit|Airport|Airlines|Gym|Fitness|Studio|Salon|Hardware|Lumber|Steel|Motors|Auto|Tire|Depot|Hotel|Inn|Casino|Resort|Club|League|YMCA|Army|Navy|Marines|Shelter|Mission|Fellowship|Society|Center|Centre|Services|Solutions|Systems|Group|Associates|Partners|District|Daycare|Preschool|Nursery|Garage|Shop|Store|Works|Industries|Manufacturing|Packing|Poultry|Cannery|Nurseries|Landscaping|Press|Publishing|Gazette|Tribune|Orchestra|Choir|Ballet|Engineering|Law|Legal|Realty|Supply|Products)"
)


def _proper(m: regex.Match) -> bool:
    """The words before the ending must hold one that is not mere vocabulary of clinics."""
    words = regex.findall(r"\p{L}[\p{L}'’]+", m["v"])
    stop = {
        "the",
        "of",
        "and",
        "for",
        "at",
        "our",
        "this",
        "my",
        "her",
        "his",
        "your",
        "local",
        "an",
        "on",
        "in",
        "new",
        "old",
    }
    return any(
        fold(w) not in clinical_words()
        and fold(w) not in lexicon("note_words")
        and fold(w) not in stop
        and not regex.fullmatch(rf"{_HOSPITAL}|{_ORG}", w)
        and not (is_ordinary(w) and w.islower())
        for w in words
    )


def _not_clinical(m: regex.Match) -> bool:
    return (
        _proper(m)
        and not all(is_ordinary(w) for w in regex.findall(r"\p{L}+", m["v"]))
        or len(m["v"].split()) > 2
        and _proper(m)
    )


class PlaceRecognizer(RuleRecognizer):
    """STREET, CITY, STATE, COUNTRY, ZIP and LOCATION_OTHER."""

    RULES = (
        rule(
            "street",
            "STREET",
            rf"(?<![\w/.-])\d{{1,6}}[A-Z]?(?:-\d+)?(?: (?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\.?)?(?: {_CAP}){{1,4}}? {_SUFFIX}\b\.?{_QUAD}{_UNIT}",
            0.9,
            lambda m: not regex.search(r"\b(?:mg|ml|mm|cm|weeks?|days?|hours?)\b", m["v"], regex.I),
            regex.M,
        ),
        rule(
            "street-caps",
            "STREET",
            rf"(?<![\w/.-])\d{{1,6}}(?: (?:N|S|E|W|NE|NW|SE|SW))?(?: \p{{L}}[\p{{L}}'’]+){{1,3}} (?:street|avenue|ave|road|rd|drive|lane|ln|boulevard|blvd|court|ct|place|circle|parkway|pkwy|highway|hwy|terrace|trail)\b\.?{_UNIT}",
            0.8,
            lambda m: (
                not regex.search(
                    r"\b(?:mg|ml|mm|cm|weeks?|days?|hours?|the|of|ct|a|on|to)\b", m["v"][:-4], regex.I
                )
            ),
        ),
        rule(
            "street-name",
            "STREET",
            rf"\b(?:on|at|near|off|of|from|down|corner of|and|to|along|in) (?P<v>(?:{_CAP} ){{1,3}}(?:Street|St|Avenue|Ave|Road|Rd|Drive|Lane|Ln|Boulevard|Blvd|Court|Highway|Hwy|Parkway|Pike|Terrace|Trail))\b\.?",
            0.75,
            None,
            regex.M,
        ),
        rule(
            "route",
            "STREET",
            r"\b(?:Highway|Hwy|Route|Rte|County Road|CR|FM|Interstate|I|US|SR)[ -]\d{1,4}\b(?![/%.])",
            0.6,
            lambda m: not m["v"].startswith(("CR ", "SR ", "I ")),
            regex.M,
        ),
        rule(
            "numbered-house",
            "STREET",
            rf"\b(?:address|lives at|home|addr|residence|residing at|live at|resides at)\b[ :]{{1,3}}(?P<v>\d{{1,6}}(?: {_CAP}){{1,4}}{_UNIT})",
            0.8,
            None,
            regex.M | regex.I,
        ),
        rule(
            "foreign-street",
            "STREET",
            r"(?<![\w/.-])(?:\d{1,6} )?(?:Calle|Rue|Via|Camino|Avenida|Paseo|Rua|Unit \d+, The)(?: (?:de|del|la|los|las))*(?: \p{Lu}[\p{L}'’]+){1,3}(?: (?:NW|NE|SW|SE))?",
            0.8,
            None,
            regex.M,
        ),
        rule("po-box", "STREET", r"\bP\.?O\.? Box \d+", 0.95),
        rule("apt", "STREET", r"\b(?:Apt|Apartment|Unit|Lot|Trailer)\.? #?\d+[A-Z]?\b", 0.6, None, regex.M),
        rule(
            "state-zip", "ZIP", rf"\b(?:{_ABBR}|{_STATES})\.?,?[ ]{{1,2}}(?P<v>\d{{5}}(?:-\d{{4}})?)\b", 0.95
        ),
        rule("zip-cued", "ZIP", r"\bzip(?: code)?[ :]{1,3}(?:is )?(?P<v>\d{5}(?:-\d{4})?)\b", 0.95),
        rule("zip4", "ZIP", r"(?<![\w-])\d{5}-\d{4}(?![\w-])", 0.6),
        rule("british-post", "ZIP", r"\b[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b", 0.7, None, regex.M),
        rule("canadian-post", "ZIP", r"\b[ABCEGHJ-NPRSTVXY]\d[A-Z] ?\d[A-Z]\d\b", 0.7, None, regex.M),
        rule(
            "city-state",
            "CITY",
            rf"(?P<v>\p{{Lu}}[\p{{L}}'’.]+(?:[ -]\p{{Lu}}[\p{{L}}'’]+){{0,2}}),? (?:(?:{_ABBR})\b(?!\.)|(?:{_STATES}))",
            0.7,
            lambda m: (
                _proper(m)
                and (
                    "," in m.group()
                    or regex.search(r"\d{5}", m.string[m.end() : m.end() + 8]) is not None
                    or fold(m["v"]) in lexicon("cities")
                )
            ),
            regex.M,
        ),
        rule("state", "STATE", rf"\b(?:{_STATES})\b", 0.6, None, regex.M),
        rule("state-abbr", "STATE", rf"(?<=\p{{L}},? )(?:{_ABBR})(?=[ ,]{{1,2}}\d{{5}})", 0.9, None, regex.M),
        rule(
            "state-after-city",
            "STATE",
            rf"(?<=\p{{Lu}}\p{{Ll}}+, )(?:{_ABBR})\b(?!,? (?:FACC|FACS))",
            0.5,
            lambda m: m["v"] not in ("MD", "PA", "MA", "DO", "MS", "OT"),
            regex.M,
        ),
        rule("country", "COUNTRY", rf"\b(?:{_COUNTRIES})\b", 0.6, None, regex.M),
        rule(
            "room",
            "LOCATION_OTHER",
            r"\b(?P<v>(?:rooms?|rm|bed|bay|suite|ward|unit|pod|floor|level|hall|OR|cath lab|lab|dorm|cell|block|wing|tower|building|bldg|station|gate|theatre|pool|trailhead)\.?[ #]{1,2}(?:[A-Z]{1,4}-?)?(?:\d+[A-Z]?(?:-\w+)?|[A-Z])\b)(?! ?(?:mg|ml|cm|units|of\b|%|x\b|degrees))",
            0.6,
            lambda m: (
                regex.search(r"\d|[ #][A-Z]$", m["v"]) is not None
                and not m["v"].startswith(("OR a", "or ", "lab", "unit", "level", "cell", "bed r"))
            ),
            regex.M | regex.I,
        ),
        rule(
            "room-head",
            "LOCATION_OTHER",
            r"\b(?:ROOM|RM|BED|BAY|LOC|LOCATION|UNIT|WARD|FLOOR|fast track|theatre)[ :#]{1,3}(?P<v>[A-Z\d]{1,6}(?:[- ]?\d[\dA-Z-]*)?)\b",
            0.6,
            lambda m: any(c.isdigit() for c in m["v"]),
            regex.M,
        ),
        rule(
            "place",
            "LOCATION_OTHER",
            r"\b(?P<v>(?:\p{Lu}[\p{L}'’]+ ){1,3}(?:Park|Lake|River|Creek|Bridge|Beach|Mountain|Mount|Valley|Trail|Trails|Canyon|Island|Bay|Harbor|Mall|Stadium|Arena|Forest|Falls|Pier|Plaza|Gardens|Cemetery|Field|Reservoir|Hills|Heights|Village|Towers|Apartments|Estates|Projects|Reservation|Hollow|Ridge|Station|Terminal|Woods|Marathon|Fairgrounds|Campground))\b",
            0.55,
            _proper,
            regex.M,
        ),
        rule(
            "wing",
            "LOCATION_OTHER",
            r"\b(?:\d ?(?:North|South|East|West|N|S|E|W)|(?:North|South|East|West) \d|\d[A-Z]-\d+|[A-Z]{2,4}-\d{1,3})\b(?=[ ,.;)\n]|$)",
            0.4,
            lambda m: (
                not regex.match(
                    r"(?:PHQ|GAD|CBT|PCL|BDI|COVID|ACT|DBT|MS|VISA|CT|II|III|AC|HIV|DSM|SF|ISI|QT|CHA|HAM|DLA|EPDS|ASRS|BSL|OCI|YB|WHO|CD|IL|EQ|ASA|VAS|WSAS|LSAS|PSS|CAGE|AUDIT|DAST|SCID|MINI|T|C|L|S|AL|MCP|PIP|DIP|ICD|BIS|CORE|BASIS|PANSS|ACE|RCADS|SCARED|CES|HCL|MDQ|PSWQ)\b",
                    m["v"],
                )
            ),
            regex.M,
        ),
    )


class CuedCityRecognizer(RuleRecognizer):
    """CITY by the words before it alone."""

    RULES = (
        rule(
            "city-cued",
            "CITY",
            r"\b(?:from|in|lives in|live in|to|near|moved to|outside|visiting|born in|of|at|for|back to|around|toward) (?P<v>\p{Lu}\p{Ll}[\p{L}'’]+(?:[ -]\p{Lu}\p{Ll}[\p{L}'’]+)?)\b(?!['’])",
            0.4,
            lambda m: not any(is_ordinary(w) for w in m["v"].split()),
            regex.M,
        ),
    )


class CityRecognizer(Recognizer):
    """CITY by the list of cities; a city of one ordinary word (Mobile, Reading) with a low score."""

    ENTITIES = ("CITY",)

    def find(self, text: str) -> list[Span]:
        tokens = tokenize(text)
        found = []
        for n, token in enumerate(tokens):
            names = _cities_by_first_word().get(fold(token.text).removesuffix("'s"))
            if not names or (n and tokens[n - 1].end == token.start and tokens[n - 1].text in "-'’"):
                continue
            for words in names:
                last = n + len(words) - 1
                if not _is_phrase(text, tokens[n : last + 1], words):
                    continue
                ordinary = len(words) == 1 and is_ordinary(words[0])
                if token.is_capitalised or (len(words) > 1 and not is_ordinary(" ".join(words))):
                    end = tokens[last].end
                    end -= 2 if fold(text[token.start : end]).endswith("'s") else 0
                    found.append(
                        Span(token.start, end, "CITY", 0.4 if ordinary else 0.6, f"{self.name}.listed")
                    )
                    break
        return found


def _is_phrase(text: str, tokens: Sequence[Token], words: Sequence[str]) -> bool:
    """Whether the tokens are these words with at most one blank between each two."""
    return (
        len(tokens) == len(words)
        and all(fold(t.text).removesuffix("'s") == w for t, w in zip(tokens, words, strict=True))
        and all(text[a.end : b.start] in ("", " ") for a, b in pairwise(tokens))
    )


@cache
def _cities_by_first_word() -> dict[str, list[tuple[str, ...]]]:
    """The cities' names as words, the longest first, by their first word."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for name in lexicon("cities"):
        words = tuple(t.text for t in tokenize(name))
        found.setdefault(words[0], []).append(words)
    return {first: sorted(names, key=len, reverse=True) for first, names in found.items()}


class OrganisationRecognizer(RuleRecognizer):
    """HOSPITAL and ORGANIZATION, by the grammar of their names."""

    RULES = (
        rule(
            "hospital",
            "HOSPITAL",
            rf"\b(?P<v>(?:St\.? )?(?:\p{{Lu}}[\p{{L}}'’.&-]+ (?:{_LINK})?){{1,4}}{_HOSPITAL})\b(?: (?:of|at) (?:the )?\p{{Lu}}\p{{L}}+(?: \p{{Lu}}\p{{L}}+)?)?",
            0.7,
            _not_clinical,
            regex.M,
        ),
        rule(
            "of",
            "HOSPITAL",
            r"\b(?:University of|Institute of|Hospital of|Children's Hospital of|Clinic of|Mayo|Cleveland Clinic)(?: (?:the )?\p{Lu}\p{L}+){1,3}",
            0.7,
            None,
            regex.M,
        ),
        rule(
            "saint",
            "HOSPITAL",
            r"\b(?:St\.?|Saint|Our Lady of|Mount|Mt\.?|Mercy|Providence|Sacred Heart|Good Samaritan|Holy)(?: (?:the )?\p{Lu}[\p{L}'’]+){1,2}",
            0.5,
            None,
            regex.M,
        ),
        rule(
            "va",
            "HOSPITAL",
            r"\b(?:\p{Lu}\p{L}+ ){1,2}VA(?:MC)?\b|\bVA(?:MC)? \p{Lu}\p{Ll}+(?: \p{Lu}\p{Ll}+)?",
            0.6,
            _proper,
            regex.M,
        ),
        rule(
            "org",
            "ORGANIZATION",
            rf"\b(?P<v>(?:\p{{Lu}}[\p{{L}}'’.&-]+ (?:{_LINK})?){{1,4}}{_ORG})(?!\w)",
            0.6,
            _not_clinical,
            regex.M,
        ),
        rule(
            "works",
            "ORGANIZATION",
            r"\b(?:works? (?:at|for)|worked (?:at|for)|employed (?:by|at)|employer[ :]{1,2}|employer is|job at|attends|enrolled at|student at|teaches at|school[ :]{1,2}|goes to|studies at|volunteers (?:at|with)|shift at|manager at|retired from|nurse at|driver for|drives for|member of|congregation at|plays for) ?(?:the )?(?P<v>\p{Lu}[\p{L}'’&.-]+(?: (?:(?:of|the|and|&) )?\p{Lu}[\p{L}'’&-]+){0,4})",
            0.7,
            _proper,
            regex.M,
        ),
        rule(
            "school",
            "ORGANIZATION",
            r"\b(?P<v>\p{Lu}[\p{L}'’]+(?: \p{Lu}[\p{L}'’]+)? (?:HS|MS|Elem|U))\b",
            0.55,
            _proper,
            regex.M,
        ),
        rule(
            "caps",
            "HOSPITAL",
            r"\b(?P<v>(?:\p{Lu}[\p{Lu}'’.&-]+ ){1,4}(?:HOSPITAL|MEDICAL CENTER|MEMORIAL|CLINIC|HEART|HEALTH|REGIONAL|GENERAL|INFIRMARY|REHAB|IMAGING|INSTITUTE|ORTHOPEDICS|ORTHOPAEDICS|CENTER|HOSPICE|MANOR))\b",
            0.6,
            _not_clinical,
            regex.M,
        ),
    )


class ProfessionRecognizer(Recognizer):
    """PROFESSION: listed occupations that follow a cue."""

    ENTITIES = ("PROFESSION",)

    def __init__(self) -> None:
        jobs = one_of(lexicon("occupations"))
        cues = r"retired|work(?:s|ed|ing)? as (?:a|an|the)|is (?:a|an|the)|was (?:a|an)|a|an|the|occupation[ :]{1,2}|former|job[ :]{1,2}|old|who is a|ex-"
        self._pattern = regex.compile(rf"\b(?:{cues}) ?(?P<v>(?:{jobs})s?)\b", regex.I)

    def find(self, text: str) -> list[Span]:
        return [
            Span(m.start("v"), m.end("v"), "PROFESSION", 0.5, f"{self.name}.listed")
            for m in self._pattern.finditer(text)
        ]
