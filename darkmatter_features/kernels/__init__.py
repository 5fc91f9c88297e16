"""The compiled inner loops: arrays and scalars only, serial, nothing checked.

Each kernel trusts its caller, fills arrays that were passed in, and has an obvious slow twin in ``tests/naive.py``.
None uses ``fastmath``: the same input gives the same bits on every machine and at any number of workers.
"""

from collections.abc import Callable
from typing import Any

import numba

compiled: Callable[..., Any] = numba.njit(cache=True, nogil=True, error_model="numpy")
