"""From fits to money: predictions per customer, and the formulas that companies use instead."""
