"""Many models as one: several runs that share an architecture, trained together.

Each run is a lane. A lane has its own weights, optimizer, data, random numbers, observers and end;
only the forward and backward passes of all lanes are computed as one.
"""
