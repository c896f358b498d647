"""The oracle: features and labels in plain Python, which shares nothing with the SQL."""
