"""Software bill of materials with licences: `python docker/bill_of_materials.py [FILE]`, or `make sbom`.

CycloneDX 1.5 from uv.lock, as uv writes it (names, versions, hashes of the files), with the licence that each installed package
declares. Printed: how many packages are under which licence, and by name those that ask for a look: copyleft, and those that declare none.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_COPYLEFT = re.compile(r"\b(?:A|L)?GPL|GNU|MPL|Mozilla|EPL|CDDL", re.I)
_LONGEST = 60  # characters of a licence's name; longer is its whole text
NONE = "not declared"


def licence_of(package: metadata.PackageMetadata) -> str:
    """What a package declares: an SPDX expression, else a short free text, else its classifiers."""
    if expression := package.get("License-Expression"):
        return str(expression)
    text = " ".join((package.get("License") or "").split())
    if text and len(text) <= _LONGEST and text.upper() != "UNKNOWN":
        return text
    named = [c for c in package.get_all("Classifier") or [] if c.startswith("License ::")]
    return ", ".join(sorted(c.rpartition(" :: ")[2] for c in named)) or NONE


def with_licences(bill: dict[str, Any]) -> dict[str, list[str]]:
    """Add to each component what it declares; return the names by licence. What is not installed here is left as it is."""
    by_licence: dict[str, list[str]] = defaultdict(list)
    for component in bill["components"]:
        try:
            said = licence_of(metadata.metadata(component["name"]))
        except metadata.PackageNotFoundError:
            by_licence["not installed here"].append(component["name"])
            continue
        by_licence[said].append(component["name"])
        if said != NONE:
            component["licenses"] = [{"license": {"name": said}}]
    return by_licence


def main() -> None:
    to = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "sbom.cdx.json"
    uv = next((str(p) for p in (ROOT / ".uv" / "bin" / "uv",) if p.exists()), "uv")
    command = [uv, "export", "--quiet", "--frozen", "--no-dev", "--all-extras", "--format", "cyclonedx1.5"]
    bill = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    by_licence = with_licences(bill)
    to.write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")
    for said, names in sorted(by_licence.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        look = said in (NONE, "not installed here") or _COPYLEFT.search(said)
        print(f"{len(names):4}  {said}{': ' + ', '.join(sorted(names)) if look else ''}")
    print(f"\n{len(bill['components'])} packages: {to}")


if __name__ == "__main__":
    main()
