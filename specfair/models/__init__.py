"""Which models: where their files are, what they are, how they are opened."""
