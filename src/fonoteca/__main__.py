"""`python -m fonoteca` is the command `fonoteca`."""

from fonoteca.cli import main

main()
