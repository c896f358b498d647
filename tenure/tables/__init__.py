"""HOW a table is computed: pure functions from definitions to one SELECT. No connection is opened here."""
