"""Storage: where files lie, local or on S3, behind the same verbs; the only room that knows a client of S3."""
