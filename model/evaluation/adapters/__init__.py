"""What can be measured: PLUM, and baselines beside which it is read."""
