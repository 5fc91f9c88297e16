"""Every figure of this package."""
