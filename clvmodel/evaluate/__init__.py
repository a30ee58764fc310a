"""Who is right on unseen data, and how surely: metrics, backtests, `Comparison`, checks."""
