"""What was written and what a draft makes of it: pure functions of a Trace."""
