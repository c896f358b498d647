"""`python -m tenure.cli`: the command."""

from tenure.cli import main

main()
