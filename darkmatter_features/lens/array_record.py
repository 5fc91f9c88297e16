"""Frozen records of arrays: read-only, compared by value, kept as JSON with a fingerprint."""

import hashlib
import json
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import TableError, shown

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ArrayRecord:
    """Base of frozen dataclasses whose fields are float64 arrays, and one string ``source``.

    Raises
    ------
    ValueError
        If an array holds a number that is not finite.
    """

    def __post_init__(self) -> None:
        for name, array in self.arrays().items():
            if not np.isfinite(array).all():
                raise ValueError(f"{name} holds numbers that are not finite")
            array.flags.writeable = False

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "source"}

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, as lists and strings that JSON can hold."""
        own: Any = self
        return {**{name: array.tolist() for name, array in self.arrays().items()}, "source": own.source}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild a record from :meth:`to_dict`; raise KeyError, TypeError or ValueError on anything else."""
        names = [field.name for field in fields(cls) if field.name != "source"]
        arrays: dict[str, Any] = {name: np.array(values[name], dtype=np.float64) for name in names}
        return cls(**arrays, **{"source": str(values["source"])})

    @cached_property
    def _text(self) -> str:
        return json.dumps(self.to_dict(), sort_keys=True)

    @cached_property
    def _digest(self) -> str:
        return hashlib.sha256(self._text.encode()).hexdigest()

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that change whenever a value does."""
        return self._digest[:16]

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle for a worker: the fields, and the fingerprint if it is known."""
        return {name: value for name, value in self.__dict__.items() if name != "_text"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the state; arrays are read-only again, as kernels compile other code for writeable ones."""
        self.__dict__.update(state)
        for array in self.arrays().values():
            array.flags.writeable = False

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return all(np.array_equal(getattr(self, field.name), getattr(other, field.name)) for field in fields(self))

    __hash__ = None  # type: ignore[assignment]

    def write(self, path: str | Path) -> None:
        """Write the record as JSON."""
        Path(path).write_text(self._text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a record that :meth:`write` wrote.

        Raises
        ------
        TableError
            If the file is missing or holds no such record; the error names the first field that it lacks.
        """
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            raise TableError(f"{path}: no template, the file is missing; run `darkmatter features` again") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            reason = f"it has no {error}, which this version needs" if isinstance(error, KeyError) else shown(error)
            raise TableError(
                f"{path}: no template of this version ({reason}); run `darkmatter features` again"
            ) from error
