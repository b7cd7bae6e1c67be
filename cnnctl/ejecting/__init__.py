"""A config and its images -> one readable Keras script that needs no cnnctl, and the split that it reads."""
