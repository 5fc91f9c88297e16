"""From an image to a catalogue of galaxies: background, detection, segmentation, shapes."""
