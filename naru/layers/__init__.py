"""What `naru layers` shows: pure functions from the documents of hardware.naru.dev to text, and where they come from."""
