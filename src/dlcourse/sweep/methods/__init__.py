"""Where a sweep's points come from: lists, random numbers, or a search that learns."""
