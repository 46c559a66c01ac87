"""Programs of users, for mypy to check; what they do is tested elsewhere."""
