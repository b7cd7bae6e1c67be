"""What experiment trackers are told of a training: how it was set up, each epoch, and what came of it."""
