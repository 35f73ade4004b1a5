"""What a number of labelled samples proves about detectors and a policy, and what it does not."""
