"""The node's network: addresses of pods, Service rules and DNS, in the kernel by netlink and nftables."""
