"""All lenses of a survey: patches of tangent planes, maps of S/N, their null distribution, purity and completeness."""
