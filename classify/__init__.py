"""Decisions: feature rows in, verdicts out.

``train`` makes a run folder from a feature table; ``LensModel`` turns skies into verdicts; ``predict``
and ``evaluate`` do so for many. ``cli`` is the ``darkmatter`` command. Measuring belongs to
``darkmatter_features``, which never imports this package.
"""
