"""Drawn images: shapes with a texture and a colour, any number of classes at any size."""
