"""The feature store: which snapshots are due, how they are built, and features as of any instant."""
