"""The experiments of EMUFormer (arXiv 2402.10580) as one plan that can be stopped at any time."""
