"""The data card: what the images of a study are, on a page with a figure."""
