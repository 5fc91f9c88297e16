"""The effect of a lens on a catalogue, and the evidence for one."""
