"""Plots and the report: a `Comparison` made visible. Nothing is computed here but layout."""
