"""Why an object is as it is: `why(world, kind, namespace, name)` → a chain of findings, from the object to the root cause.

    API ──read_world──▶ World (plain objects of one namespace, nodes, Events) ──why──▶ Report ──text──▶ sentences
                                     logs of those that died ─────────────────────────────┘

Each rule is a pure function of a `World`; nothing is guessed: a finding names the fields, Events and log lines that it rests
on, and says so where these can't tell.
"""
