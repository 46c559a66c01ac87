"""How pairs are changed."""
