"""Decisions: feature rows in, verdicts out."""
