"""What `pilotage check --live` finds before anything is promoted: facts in, findings out."""
