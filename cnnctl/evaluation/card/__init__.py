"""The model card of a run: README.md in the form of Hugging Face's hub."""
