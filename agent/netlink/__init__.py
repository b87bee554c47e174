"""What is said to the kernel over netlink, and what it answers: devices and routes, tracked flows, listening sockets."""
