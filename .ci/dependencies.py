"""Licences of the installed dependencies, or a bill of materials in CycloneDX's JSON.

    python .ci/dependencies.py licences [--extra NAME ...]
    python .ci/dependencies.py sbom [--extra NAME ...] > sbom.json

Listed are the distributions that `darkmatter-lensing` and its extras require, and those that these require, as they are
installed in the environment of the interpreter. Both read the metadata on disk; no network is used.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = "darkmatter-lensing"
CLASSIFIER = "License :: "
MAX_LICENCE = 60
"""Maximum length of a field ``License`` that names a licence; longer ones hold its text."""


def required(name: str, extras: Iterable[str]) -> Iterator[tuple[str, set[str]]]:
    """Yield the names and extras that a distribution requires in this environment."""
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": each}) for each in ("", *extras)):
            yield canonicalize_name(requirement.name), set(requirement.extras)


def dependencies(extras: Iterable[str]) -> dict[str, list[str]]:
    """Return the installed dependencies and what each requires, by name; the package itself included."""
    found: dict[str, set[str]] = {}
    seen: dict[str, set[str]] = {}
    waiting = [(ROOT, set(extras))]
    while waiting:
        name, wanted = waiting.pop()
        if name in seen and wanted <= seen[name]:
            continue
        seen[name] = seen.get(name, set()) | wanted
        try:
            needs = list(required(name, seen[name]))
        except PackageNotFoundError:
            continue  # an optional requirement that is not installed
        found[name] = {each for each, _ in needs}
        waiting += needs
    return {name: sorted(each for each in needs if each in found) for name, needs in sorted(found.items())}


def licence_of(package: Distribution) -> str:
    """Return the licence of a distribution as its metadata name it: expression, field or classifiers."""
    metadata: Any = package.metadata
    field = (metadata.get("License") or "").strip()
    classified = [each.rpartition(" :: ")[2] for each in metadata.get_all("Classifier") or () if CLASSIFIER in each]
    short = field if 0 < len(field) <= MAX_LICENCE and "\n" not in field else ""
    return metadata.get("License-Expression") or short or ", ".join(classified) or "unknown"


def bill(extras: Iterable[str]) -> dict[str, Any]:
    """Return the bill of materials, in the layout of CycloneDX 1.6."""
    found = dependencies(extras)
    packages = {name: distribution(name) for name in found}
    urls = {name: f"pkg:pypi/{name}@{package.version}" for name, package in packages.items()}
    components = [
        {
            "type": "library", "bom-ref": urls[name], "name": package.metadata["Name"], "version": package.version,
            "purl": urls[name], "licenses": [{"license": {"name": licence_of(package)}}],
        }
        for name, package in packages.items()
    ]  # fmt: skip
    own = next(each for each in components if each["bom-ref"] == urls[ROOT])
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**own, "type": "application"}},
        "components": [each for each in components if each is not own],
        "dependencies": [
            {"ref": urls[name], "dependsOn": [urls[each] for each in needs]} for name, needs in found.items()
        ],
    }


def licences(extras: Iterable[str]) -> Iterator[str]:
    """Yield a line for each dependency: name, version, licence."""
    names = [name for name in dependencies(extras) if name != ROOT]
    width = max(map(len, names))
    for name in names:
        package = distribution(name)
        yield f"{name:{width}}  {package.version:16}  {licence_of(package)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", choices=("licences", "sbom"))
    parser.add_argument("--extra", action="append", default=[], help="extra of the package, more than one possible")
    args = parser.parse_args()
    if args.output == "sbom":
        print(json.dumps(bill(args.extra), indent=2))
    else:
        print("\n".join(licences(args.extra)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
