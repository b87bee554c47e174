"""What this machine is made of, read off its kernel: every fact with its evidence."""
