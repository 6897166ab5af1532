"""What comes from outside: the model file, checked in a child, and the rows of data."""
