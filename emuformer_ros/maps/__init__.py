"""The topics that maps are published on, and their messages."""
