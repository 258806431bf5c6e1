"""HTTP/2 (RFC 9113) on both sides of the pipeline.

Frames, HPACK and the states of streams are libnghttp2's (through ngh2). Here they become exchanges and attempts like
those of HTTP/1.1, and the rules of `head` and `answer` hold for them, because what comes in is given to the same judges
in the same form.
"""
