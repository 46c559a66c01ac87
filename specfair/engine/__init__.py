"""How a pair writes: probabilities, caches, loops and clocks."""
