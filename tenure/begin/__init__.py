"""A project's beginning: the bank's tables are looked at, and what they seem to be is written down to be edited.

```
files or database ──► tables ──► columns ──► keys and joins ──► customers ──► sources.py, churn.py, features/
     where they lie     facts     formats     counted over        who, since   a guess on each line, its evidence
                                  personal    whole tables        when         behind it; what can't be known, asked
```
"""
