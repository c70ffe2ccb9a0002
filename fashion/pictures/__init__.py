"""HTML pages and pictures in them."""
