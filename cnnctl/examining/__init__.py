"""What may be wrong in the images and labels of a data set, found without training."""
