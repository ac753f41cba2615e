"""This project beside what people use today, in one run: ``python -m benchmarks NAME``."""
