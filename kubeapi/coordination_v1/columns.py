"""The columns of coordination/v1."""

from kubeapi.meta_v1.columns import AGE, NAME, column

LEASE = (NAME, column("Holder", lambda o: o.spec.holder_identity or ""), AGE)
