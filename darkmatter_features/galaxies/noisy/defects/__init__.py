"""What is no galaxy in an image with noise: frames, captions, saturated stars, tracks and cosmic rays."""
