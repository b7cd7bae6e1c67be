"""Files -> uint8 arrays: finding, splitting, decoding, varying and ordering images."""
