"""Compare the files of a wheel with those of the two packages in a folder: none is missing, none is added."""

import sys
import zipfile
from pathlib import Path

PACKAGES = ("darkmatter_features", "classify")


def main() -> int:
    wheel, source = Path(sys.argv[1]), Path(sys.argv[2])
    with zipfile.ZipFile(wheel) as file:
        built = {name for name in file.namelist() if ".dist-info/" not in name}
    kept = {
        path.relative_to(source).as_posix()
        for package in PACKAGES
        for path in (source / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".nbi", ".nbc")
    }
    for name in sorted(built ^ kept):
        print(f"{name} is {'missing in' if name in kept else 'only in'} {wheel.name}")
    return int(built != kept)


if __name__ == "__main__":
    sys.exit(main())
