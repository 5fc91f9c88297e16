"""From maps and evidence to a feature row, and from data sets to feature tables."""
