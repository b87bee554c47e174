"""What core/v1 refuses, and in which words. Source: k8s.io/kubernetes/pkg/apis/core/validation. A module per noun."""
