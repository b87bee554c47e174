"""Admission: what an object needs that only the rest of the cluster knows, filled in or refused before validation.

Each module is a kind's plugins under Kubernetes' names; `chain.Admission` runs them. None keeps state: what is allocated is
read from the objects that exist.
"""
