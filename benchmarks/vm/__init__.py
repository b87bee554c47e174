"""The same server in a real virtual machine and in a container, measured: `naru layers --as-vms` prefers it to models."""
