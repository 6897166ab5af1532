"""The compressor: finds, proves and writes the best forms of one model for one kind of device."""
