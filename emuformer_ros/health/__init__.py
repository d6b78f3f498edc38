"""What the node knows of how it fares, and how it says so."""
