"""How a run is started: with which GPUs, in how many processes, and which signals reach them."""
