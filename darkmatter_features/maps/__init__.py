"""From a catalogue of galaxies to maps of tangential and cross shear."""
