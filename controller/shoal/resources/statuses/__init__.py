"""What controllers conclude of each kind, documented field by field; people never write it."""
