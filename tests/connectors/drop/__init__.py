"""The drop folder: what people put in, and where it goes once it is in the index."""
