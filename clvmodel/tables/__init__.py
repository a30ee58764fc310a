"""Order histories in any dataframe or file: purchases, customer summary, cells, holdout split."""
