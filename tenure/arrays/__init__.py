"""Arrays: the windows of whole numbers in one machine's memory; Arrow in, Arrow out, no connection and no path."""
