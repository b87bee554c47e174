"""A packet's way from one end to another: predicted from what the kernel holds, proven by a probe and its witnesses."""
