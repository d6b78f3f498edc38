"""What each part of the training on stereo pairs is worth: an experiment that can be stopped."""
