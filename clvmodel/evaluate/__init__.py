"""Which candidate is right on data it has not seen: metrics, backtests, one plain `Comparison`."""
