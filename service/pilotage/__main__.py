"""`python -m pilotage`."""

from pilotage.cli import main

main()
