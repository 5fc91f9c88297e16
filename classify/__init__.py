"""Decisions: feature rows in, verdicts out.

``train`` makes a run from a feature table; ``LensModel`` gives verdicts on skies; ``predict`` and ``evaluate`` do so
for many skies. ``cli`` is the ``darkmatter`` command. The measurement is in ``darkmatter_features``, which does not
import this package.
"""
