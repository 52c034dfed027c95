"""`.pilotage.yaml`: what a team may write, and how a mistake is said."""
