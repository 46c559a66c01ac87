"""A stored run: typed rows and verdicts, to JSON and back."""
