"""Hypothesis draws the same examples in each run; `HYPOTHESIS_PROFILE=search` looks for new ones, and for many."""

import os

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None, max_examples=6)
settings.register_profile("search", deadline=None, database=None, max_examples=200)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
