"""What runs a variant's file: one module for each kind of file, behind one port."""
