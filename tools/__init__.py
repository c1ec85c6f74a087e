"""What builds, re-runs and checks the book; nothing here is needed to use bnlib."""
