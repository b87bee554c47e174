"""hardware.naru.dev/v1: what stands beneath a container. Naru's own group: Kubernetes has none for it."""
