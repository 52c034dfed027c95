"""One module or package for each outside system; each knows that system and nothing else."""
