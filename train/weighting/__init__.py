"""The experiment on task weights of Kendall et al. (2018, arXiv 1705.07115)."""
