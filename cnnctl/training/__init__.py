"""Images and a plan -> a trained network. The only room that imports keras, and that inside its functions."""
