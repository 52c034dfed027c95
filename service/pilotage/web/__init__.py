"""HTTP: what comes in is verified and kept; what people and CI ask is read from the store."""
