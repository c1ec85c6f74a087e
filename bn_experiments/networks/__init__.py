"""What does batch norm do to networks of any depth? Needs JAX; importing it selects float64."""
