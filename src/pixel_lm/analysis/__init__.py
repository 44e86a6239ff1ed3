"""Looking at models: reconstructions of masked text, and report pages. Nothing is imported here; take what you need."""
