"""Simulated skies: galaxies, a halo in front of them, and the image. Never imports the measuring code."""

from darkmatter_features.errors import ConfigError, install_command

try:
    from darkmatter_features.simulation.surveys import SURVEYS, Survey, survey_like
    from darkmatter_features.simulation.write import PRESETS, Preset, simulate_dataset
except ModuleNotFoundError as error:
    if error.name != "galsim":
        raise
    raise ConfigError(f"GalSim, which draws the skies, is missing; install it: {install_command('sim')}") from None

__all__ = ["PRESETS", "SURVEYS", "Preset", "Survey", "simulate_dataset", "survey_like"]
