"""`python -m clvmodel`: the command line."""

from clvmodel.cli.app import main

main()
