"""Many trainings of one config: sweeps, whose trials Optuna chooses, and cross-validation."""
