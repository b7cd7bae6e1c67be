"""Images and a plan -> a trained network. It imports keras, and that inside its functions."""
