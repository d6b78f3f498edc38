"""One camera: its subscriptions and images, and where its frames wait."""
