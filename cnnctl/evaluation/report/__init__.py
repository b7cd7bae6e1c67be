"""A run -> one page with everything about it: result, training, data, network, config, environment."""
