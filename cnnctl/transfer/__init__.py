"""Runs at other places: a folder, a bucket, Hugging Face's hub."""
