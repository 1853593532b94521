"""What `make` runs: set-up, checks, tests. Standard library only: it runs before anything is installed."""
