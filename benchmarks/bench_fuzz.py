"""Damaged and hostile inputs of every format that is read: each must be refused in one line, or read within bounds.

    python benchmarks/bench_fuzz.py [--inputs 10000 --jobs 2 --seed 1 --keep FOLDER]

Small valid files are mutated: bytes are changed, removed and repeated, numbers in headers replaced by extreme ones, and
the structure of JSON, TOML, CSV, Parquet, FITS and PNG changed, with checksums made to fit. Processes read the inputs,
each within 2 s and 1 GB. Defects are an end of the process, no end, more memory, an error not meant for the user or
without the name of the file or longer than a line, a file read or written elsewhere, and a model with other verdicts
although its checksums were not made to fit. The script exits with 1 if there is a defect. It needs Linux.
"""

import argparse
import json
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from fuzz.mutations import mutated, reseal
from fuzz.readers import READERS
from fuzz.seeds import Seed, write_seeds
from fuzz.worker import ACCEPTED, REFUSED, Reader
from harness.report import print_table, write_record

Outcome = tuple[str, str, str, str]
"""Format, outcome, message, and number of the input."""

MAX_SHOWN = 20
"""Maximum number of defects that are printed."""


def mutate(seed: Seed, number: int, base: int, folder: Path) -> tuple[Path, bool]:
    """Write the input of this number to a folder; return the mutated file, and whether checksums were made to fit."""
    rng = np.random.default_rng([base, number])
    shutil.copytree(seed.folder, folder / seed.folder.name)
    path = folder / seed.folder.name / seed.name
    path.write_bytes(mutated(seed.form, path.read_bytes(), rng))
    is_fitted = seed.form in ("lightgbm", "safetensors") and rng.random() < 0.8
    if is_fitted:
        _fit_digest(path)
    return path, is_fitted or _is_sealed(path)


def _fit_digest(path: Path) -> None:
    """Put the digest of a file of the model into its description."""
    import hashlib

    description = path.with_name("model.json")
    content = json.loads(description.read_bytes())
    for members in (content["members"], content.get("cnn_stage", {}).get("members", {})):
        if path.name in members:
            members[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    description.write_bytes(reseal(json.dumps(content).encode()))


def _is_sealed(path: Path) -> bool:
    """Return whether the checksum of a mutated ``model.json`` fits to its content."""
    try:
        content = json.loads(path.read_bytes())
        return bool(content["checksum"] == json.loads(reseal(path.read_bytes()))["checksum"])
    except Exception:
        return False


class Trial:
    """Inputs made and read by several processes.

    Parameters
    ----------
    root : Path
        Folder for seeds and inputs.
    base : int
        Seed of the random numbers.
    keep : Path or None
        Folder for the inputs with defects.
    only : str or None
        Format of the files that are mutated; None for all.
    """

    def __init__(self, root: Path, base: int, keep: Path | None = None, only: str | None = None) -> None:
        self.root, self.base, self.keep = root, base, keep
        self.seeds = write_seeds(root / "seeds")
        self.chosen = [seed for seed in self.seeds if only in (None, seed.form)]
        self.digest = repr(READERS["model"](next(seed for seed in self.seeds if seed.kind == "model").path))
        self._readers: list[Reader] = []
        self._local = threading.local()

    def run(self, n: int, n_jobs: int) -> list[Outcome]:
        """Return the outcomes of n inputs."""
        with ThreadPoolExecutor(n_jobs) as pool:
            try:
                return list(pool.map(self._outcome, range(n)))
            finally:
                for reader in self._readers:
                    reader.stop()

    def _outcome(self, number: int) -> Outcome:
        seed = self.chosen[number % len(self.chosen)]
        folder = self.root / f"input-{number}"
        path, is_fitted = mutate(seed, number, self.base, folder)
        must_agree = seed.kind == "model" and not is_fitted
        found, message = self._reader().outcome(seed.kind, path, self.digest if must_agree else None)
        if found not in (REFUSED, ACCEPTED) and self.keep is not None:
            shutil.copytree(folder, self.keep / f"{found}-{number}", dirs_exist_ok=True)
        shutil.rmtree(folder)
        return f"{seed.kind}: {seed.form}", found, message, str(number)

    def _reader(self) -> Reader:
        if not hasattr(self._local, "reader"):
            self._local.reader = Reader(self.seeds)
            self._readers.append(self._local.reader)
        reader: Reader = self._local.reader
        return reader


def summary(outcomes: list[Outcome]) -> dict[str, dict[str, int]]:
    """Return, for each format, the number of inputs and of each outcome."""
    counts: dict[str, Counter[str]] = {}
    for form, found, *_ in outcomes:
        counts.setdefault(form, Counter({"inputs": 0, REFUSED: 0, ACCEPTED: 0})).update(["inputs", found])
    return {form: dict(own) for form, own in sorted(counts.items())}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000, help="number of inputs (%(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", metavar="FORMAT", help="mutate files of this format only, such as fits")
    parser.add_argument("--keep", type=Path, help="folder for the inputs with defects")
    args = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as root:
        outcomes = Trial(Path(root).resolve(), args.seed, args.keep, args.only).run(args.inputs, args.jobs)
    counts = summary(outcomes)
    kinds = sorted({kind for own in counts.values() for kind in own} - {"inputs", REFUSED, ACCEPTED})
    heads = ("inputs", REFUSED, ACCEPTED, *kinds)
    print_table(
        ("format", *heads), [(form, *(str(own.get(kind, 0)) for kind in heads)) for form, own in counts.items()]
    )
    defects = [outcome for outcome in outcomes if outcome[1] not in (REFUSED, ACCEPTED)]
    for form, found, message, number in defects[:MAX_SHOWN]:
        print(f"{found} of input {number}, {form}: {message!r}")
    print(f"{len(defects)} defects in {len(outcomes)} inputs, {time.monotonic() - start:.0f} s")
    record = {"inputs": len(outcomes), "seed": args.seed, "n_defects": len(defects), "formats": counts}
    if args.only is None:
        print(write_record("fuzz", record))
    return 1 if defects else 0


if __name__ == "__main__":
    sys.exit(main())
