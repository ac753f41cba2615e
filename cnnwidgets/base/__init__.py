"""What every panel stands on: its state, its computations, its controls, how it is laid out and shown."""
