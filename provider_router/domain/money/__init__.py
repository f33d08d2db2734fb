"""Money: prices, budgets, rate limits, and the ledger of attempts."""
