"""Adaptation of a run to unlabelled skies of another kind."""
