"""Find faults of a catalog's photographs: measure, describe and draw them."""
