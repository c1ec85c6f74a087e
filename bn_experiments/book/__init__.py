"""How the chapters look: for chapters alone, no room imports it."""
