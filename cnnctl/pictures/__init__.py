"""Plain data -> pictures: the look that all of them share, a network as volumes, images as the network sees them."""
