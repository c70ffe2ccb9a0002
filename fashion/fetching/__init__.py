"""Photographs from addresses that strangers wrote: fetched within bounds, and never from this network itself."""
