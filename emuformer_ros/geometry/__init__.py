"""How images, what the network sees of them, and maps lie to each other and to the world."""
