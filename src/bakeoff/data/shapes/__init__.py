"""The built-in data set `shapes`: 100 classes of drawn 32 x 32 images, in 20 superclasses.

A class is a texture and a colour on a shape in a layout ("striped red disk trio"); a superclass is
the shape and the layout ("disk trio"). Size, place, turn, light, noise, background and clutter
vary from image to image and say nothing about the class.
"""

from __future__ import annotations

from bakeoff.data.shapes.generator import draw_split, make_shapes

__all__ = ["draw_split", "make_shapes"]
