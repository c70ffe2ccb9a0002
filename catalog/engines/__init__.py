"""The vector engines that hold an index."""
