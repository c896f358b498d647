"""The data dictionary: built once as data, printed by five writers."""
