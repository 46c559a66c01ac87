"""From settings to measured stages, verdicts and a stored run."""
