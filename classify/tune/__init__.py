"""Search for settings with a lower loss."""
