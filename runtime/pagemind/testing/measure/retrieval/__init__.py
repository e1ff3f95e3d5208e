"""What ``make bench-retrieval`` measures: what searches find, how fast, and what the rows behind them cost."""
