"""Training on stereo pairs with pseudo labels, after Pseudo-MTL.

Pseudo Label-Guided Multi Task Learning for Scene Understanding (2020): depth from stereo matching
and its confidence supervise a network that sees one image, and what it says about the two views of
a pair is held together by warping one into the other.
"""
