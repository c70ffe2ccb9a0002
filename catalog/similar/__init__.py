"""An index that is open: products that are like one, may take its place, or go with those somebody likes."""
