"""A plan -> a Keras network: building it, loading it, saving it, and the device and backend that it runs on."""
